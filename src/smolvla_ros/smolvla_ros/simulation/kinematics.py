"""Where the SO-100's fingers are, and the joint angles that bring them somewhere, in closed form.

    pose = arm_pose(positions)          # (..., 6) rad -> pan, reach, height, pitch, roll, gripper
    positions = joint_positions(pose)   # and back

Figures are the official URDF's (Simulation/SO100/so100.urdf), angles are the wire's. Points are in the scene's frame:
the URDF's base turned by +90 degrees, so that the arm reaches along +x, z up, the table at z = 0.

Pan and roll turn about the two ends of a planar arm of three joints, so the angles follow from two triangles: there is
nothing to iterate, nothing to diverge, and a whole trajectory is solved as one array.
"""

from __future__ import annotations

import numpy as np

BASE_YAW_RAD = np.pi / 2

# One row a joint of the URDF: origin in its parent, fixed turn (axis, rad), axis of the joint.
QUARTER_RAD = 1.57079
CHAIN: tuple[tuple[tuple[float, float, float], tuple[int, float], int], ...] = (
    ((0.0, -0.0452, 0.0165), (0, QUARTER_RAD), 1),  # shoulder_pan
    ((0.0, 0.1025, 0.0306), (0, -1.8), 0),  # shoulder_lift
    ((0.0, 0.11257, 0.028), (0, QUARTER_RAD), 0),  # elbow_flex
    ((0.0, 0.0052, 0.1349), (0, -1.0), 0),  # wrist_flex
    ((0.0, -0.0601, 0.0), (1, QUARTER_RAD), 1),  # wrist_roll
)
# Between the finger tips, in the frame of the gripper link (the published MuJoCo model's Fixed_Jaw): fingers point
# along -y, the jaw opens along -x, the fixed finger stands at +x.
PINCH_POINT = np.array([-0.003, -0.096, 0.0])

# The same figures in the arm's plane: forward from the pan axis, up from the table.
PAN_AXIS_X = 0.0452
SHOULDER_FORWARD, SHOULDER_UP = 0.0306, 0.0165 + 0.1025
UPPER_ARM, FOREARM = float(np.hypot(0.11257, 0.028)), float(np.hypot(0.0052, 0.1349))
UPPER_ARM_ANGLE, FOREARM_ANGLE = float(np.arctan2(0.028, 0.11257)), float(np.arctan2(0.1349, 0.0052))
HAND = 0.0601 - float(PINCH_POINT[1])
LIFT_ZERO, ELBOW_ZERO, WRIST_ZERO = QUARTER_RAD - 1.8, QUARTER_RAD, -1.0

PAN, REACH, HEIGHT, PITCH, ROLL, GRIPPER = range(6)


def gripper_frame(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) in metres and rotation (3, 3) of the gripper link in the scene's frame, for positions (6,) in rad."""
    origin, rotation = np.zeros(3), _turn(2, BASE_YAW_RAD)
    for (offset, (fixed_axis, fixed_rad), axis), angle in zip(CHAIN, positions, strict=False):
        origin = origin + rotation @ np.array(offset)
        rotation = rotation @ _turn(fixed_axis, fixed_rad) @ _turn(axis, float(angle))
    return origin, rotation


def pinch_point(positions: np.ndarray) -> np.ndarray:
    """Where positions (6,) in rad bring the point between the finger tips: (3,) in metres, scene's frame."""
    origin, rotation = gripper_frame(positions)
    return origin + rotation @ PINCH_POINT


def arm_pose(positions: np.ndarray) -> np.ndarray:
    """Positions (..., 6) in rad to arm poses (..., 6).

    A pose is pan (rad), reach (m from the pan axis) and height (m) of the point on the roll axis abreast of the finger
    tips, pitch (rad; 0 is fingers straight down, positive outward), roll (rad), gripper (rad).
    """
    pan, lift, elbow, wrist, roll, gripper = np.moveaxis(np.asarray(positions, dtype=float), -1, 0)
    upper = LIFT_ZERO + lift
    fore = upper + ELBOW_ZERO + elbow
    hand = fore + WRIST_ZERO + wrist
    # in the plane, angles turn from backward to up: forward is minus the cosine
    reach = (
        SHOULDER_FORWARD
        - UPPER_ARM * np.cos(upper + UPPER_ARM_ANGLE)
        - FOREARM * np.cos(fore + FOREARM_ANGLE)
        + HAND * np.cos(hand)
    )
    height = (
        SHOULDER_UP
        + UPPER_ARM * np.sin(upper + UPPER_ARM_ANGLE)
        + FOREARM * np.sin(fore + FOREARM_ANGLE)
        - HAND * np.sin(hand)
    )
    return np.stack([pan, reach, height, np.pi / 2 - hand, roll, gripper], axis=-1)


def joint_positions(poses: np.ndarray) -> np.ndarray:
    """Arm poses (..., 6), see arm_pose, to positions (..., 6) in rad, elbow up.

    A pose out of reach gives the nearest stretched arm; limits are not looked at. Compare by arm_pose.
    """
    pan, reach, height, pitch, roll, gripper = np.moveaxis(np.asarray(poses, dtype=float), -1, 0)
    hand = np.pi / 2 - pitch
    forward = reach - HAND * np.cos(hand) - SHOULDER_FORWARD
    up = height + HAND * np.sin(hand) - SHOULDER_UP
    distance = np.clip(np.hypot(forward, up), abs(UPPER_ARM - FOREARM), UPPER_ARM + FOREARM)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_shoulder = (UPPER_ARM**2 + distance**2 - FOREARM**2) / (2 * UPPER_ARM * distance)
    at_elbow = (UPPER_ARM**2 + FOREARM**2 - distance**2) / (2 * UPPER_ARM * FOREARM)
    towards = np.arctan2(up, -forward)
    upper = towards - np.arccos(np.clip(at_shoulder, -1.0, 1.0)) - UPPER_ARM_ANGLE
    fore = upper + UPPER_ARM_ANGLE + np.pi - np.arccos(np.clip(at_elbow, -1.0, 1.0)) - FOREARM_ANGLE
    lift = upper - LIFT_ZERO
    elbow = fore - upper - ELBOW_ZERO
    wrist = hand - fore - WRIST_ZERO
    return np.stack([pan, lift, elbow, wrist, roll, gripper], axis=-1)


def downward_pose(point: np.ndarray, jaw_yaw_rad: float, gripper_rad: float, pitch_rad: float = 0.0) -> np.ndarray:
    """The arm pose (6,) that has the pinch point at `point` (3,), fingers down, the fixed finger on the side of
    `jaw_yaw_rad` (scene's frame). With a pitch the jaw's direction is that of its projection from above, nearly.
    """
    # the pinch point stands beside the roll axis
    across = PINCH_POINT[0] * np.array([np.cos(jaw_yaw_rad), np.sin(jaw_yaw_rad)])
    x, y = np.asarray(point, dtype=float)[:2] - across
    pan = np.arctan2(y, x - PAN_AXIS_X)
    roll = _wrap(jaw_yaw_rad - pan - np.pi)
    return np.array([pan, np.hypot(x - PAN_AXIS_X, y), float(point[2]), pitch_rad, roll, gripper_rad])


def _wrap(angle_rad: float) -> float:
    return float((angle_rad + np.pi) % (2 * np.pi) - np.pi)


def _turn(axis: int, angle_rad: float) -> np.ndarray:
    """Rotation (3, 3) about a coordinate axis."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    rotation = np.eye(3)
    j, k = (axis + 1) % 3, (axis + 2) % 3
    rotation[j, j] = rotation[k, k] = cosine
    rotation[j, k], rotation[k, j] = -sine, sine
    return rotation
