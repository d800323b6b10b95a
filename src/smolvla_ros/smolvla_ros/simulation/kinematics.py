"""Where an arm's fingers are, and the joint angles that bring them somewhere, in closed form.

    arm = SO100.kinematics              # so100.py
    pose = arm.arm_pose(positions)      # (..., 6) rad -> pan, reach, height, pitch, roll, gripper
    positions = arm.joint_positions(pose)

For arms like the SO-100: a pan joint upright, three joints across it in one plane, a roll joint along the hand. Pan and
roll turn about the two ends of that planar arm, so the angles follow from two triangles: there is nothing to iterate,
nothing to diverge, and a whole trajectory is solved as one array. The plane's figures are worked out from the URDF's.

Angles are the wire's. Points are in the scene's frame: the arm reaches along +x, z up, the table at z = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IDENTITY = np.eye(3)
PAN, REACH, HEIGHT, PITCH, ROLL, GRIPPER = range(6)
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class ChainJoint:
    """A joint of the URDF: <origin xyz rpy> and <axis>. `middle_rad`: solutions are within half a turn of it."""

    xyz: Triple
    rpy: Triple
    axis: Triple
    middle_rad: float = 0.0


class Kinematics:
    """Of one arm; keeps nothing but figures.

    chain: shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll. pinch_point is between the finger tips and
    fixed_finger is the direction from there to the fixed finger, both (3,) in the frame of the gripper link.
    """

    def __init__(
        self, base_yaw_rad: float, chain: Sequence[ChainJoint], pinch_point: Triple, fixed_finger: Triple
    ) -> None:
        self._base = _turn((0, 0, 1), base_yaw_rad)
        self._chain = [_Turning(np.array(joint.xyz), _rotation(joint.rpy), joint.axis) for joint in chain]
        self.pinch_in_gripper, self.fixed_finger = np.array(pinch_point), np.array(fixed_finger)
        origins, axes, gripper = self._walk(np.zeros(len(chain)))
        pan, lift, elbow, wrist, roll = origins
        hand_end = roll + axes[4] * (axes[4] @ (gripper @ self.pinch_in_gripper))  # on the roll axis, abreast the tips
        self.pan_axis_x = float(pan[0])
        self._pan_sign = float(np.sign(axes[0][2]))
        self._sign = np.sign([axis[1] for axis in axes[1:4]])  # +1: turns from backward to up
        self._shoulder_forward, self._shoulder_up = float(lift[0] - pan[0]), float(lift[2])
        self._upper_arm, self._upper_zero = _in_plane(elbow - lift)
        self._forearm, self._fore_zero = _in_plane(wrist - elbow)
        self._hand, backward = _in_plane(hand_end - wrist)
        self._hand_zero = _wrap(backward - np.pi)  # the hand's angles turn from forward to down
        self._middle = np.array([joint.middle_rad for joint in chain])
        # the roll at which the fixed finger is nearest the base when the fingers point down
        self._roll_sign = -float(np.sign(axes[4] @ (hand_end - wrist)))
        down = _turn((0, 1, 0), np.pi / 2 - self._hand_zero)
        x, y, _ = down @ gripper @ self.fixed_finger
        self._roll_zero = _wrap(np.pi - float(np.arctan2(y, x)))
        # how far the tips stand beside the roll axis, towards the fixed finger
        self._beside = float(self.pinch_in_gripper @ self.fixed_finger)

    def _walk(self, angles: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """(origin of each joint, axis of each, rotation (3, 3) of the gripper link), scene's frame."""
        origin, rotation = np.zeros(3), self._base
        origins, axes = [], []
        for joint, angle in zip(self._chain, angles, strict=False):
            origin = origin + rotation @ joint.xyz
            rotation = rotation @ joint.rotation
            origins.append(origin)
            axes.append(rotation @ joint.axis)
            rotation = rotation @ joint.turned(float(angle))
        return origins, axes, rotation

    def joint_origins(self, positions: np.ndarray) -> np.ndarray:
        """Where the five joints of the chain are: (5, 3) in metres, scene's frame, for positions (6,) in rad."""
        return np.array(self._walk(positions)[0])

    def gripper_frame(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Origin (3,) in metres and rotation (3, 3) of the gripper link in the scene's frame, positions (6,) in rad."""
        origins, _, rotation = self._walk(positions)
        return origins[-1], rotation

    def pinch_point(self, positions: np.ndarray) -> np.ndarray:
        """Where positions (6,) in rad bring the point between the finger tips: (3,) in metres, scene's frame."""
        origin, rotation = self.gripper_frame(positions)
        return origin + rotation @ self.pinch_in_gripper

    def pinch_path(self, rows: np.ndarray) -> np.ndarray:
        """The same for rows (n, 6) in rad: (n, 3) in metres."""
        return np.array([self.pinch_point(row) for row in rows]).reshape(-1, 3)

    def arm_pose(self, positions: np.ndarray) -> np.ndarray:
        """Positions (..., 6) in rad to arm poses (..., 6).

        A pose is pan (rad, anticlockwise), reach (m from the pan axis) and height (m) of the point on the roll axis
        abreast of the finger tips, pitch (rad; 0 is fingers straight down, positive outward), roll (rad; at 0, with
        the fingers down, the fixed finger is on the base's side), gripper (rad).
        """
        pan, lift, elbow, wrist, roll, gripper = np.moveaxis(np.asarray(positions, dtype=float), -1, 0)
        lift, elbow, wrist = self._sign[0] * lift, self._sign[1] * elbow, self._sign[2] * wrist
        upper = self._upper_zero + lift
        fore = self._fore_zero + lift + elbow
        hand = self._hand_zero + lift + elbow + wrist
        # in the plane, angles turn from backward to up: forward is minus the cosine
        reach = self._shoulder_forward - self._upper_arm * np.cos(upper) - self._forearm * np.cos(fore)
        height = self._shoulder_up + self._upper_arm * np.sin(upper) + self._forearm * np.sin(fore)
        reach, height = reach + self._hand * np.cos(hand), height - self._hand * np.sin(hand)
        return np.stack(
            [
                self._pan_sign * pan,
                reach,
                height,
                np.pi / 2 - hand,
                self._roll_sign * roll - self._roll_zero,
                gripper,
            ],
            axis=-1,
        )

    def joint_positions(self, poses: np.ndarray) -> np.ndarray:
        """Arm poses (..., 6), see arm_pose, to positions (..., 6) in rad, elbow up.

        A pose out of reach gives the nearest stretched arm; limits are not looked at. Compare by arm_pose.
        """
        pan, reach, height, pitch, roll, gripper = np.moveaxis(np.asarray(poses, dtype=float), -1, 0)
        hand = np.pi / 2 - pitch
        forward = reach - self._hand * np.cos(hand) - self._shoulder_forward
        up = height + self._hand * np.sin(hand) - self._shoulder_up
        first, second = self._upper_arm, self._forearm
        distance = np.clip(np.hypot(forward, up), abs(first - second), first + second)
        with np.errstate(divide="ignore", invalid="ignore"):
            at_shoulder = (first**2 + distance**2 - second**2) / (2 * first * distance)
        at_elbow = (first**2 + second**2 - distance**2) / (2 * first * second)
        upper = np.arctan2(up, -forward) - np.arccos(np.clip(at_shoulder, -1.0, 1.0))
        fore = upper + np.pi - np.arccos(np.clip(at_elbow, -1.0, 1.0))
        lift = self._near_middle(1, upper - self._upper_zero)
        elbow = self._near_middle(2, fore - upper + self._upper_zero - self._fore_zero)
        wrist = hand - self._hand_zero - lift - elbow
        return np.stack(
            [
                self._pan_sign * pan,
                self._sign[0] * lift,
                self._sign[1] * elbow,
                self._sign[2] * wrist,
                self._roll_sign * (roll + self._roll_zero),
                gripper,
            ],
            axis=-1,
        )

    def downward_pose(
        self, point: np.ndarray, jaw_yaw_rad: float, gripper_rad: float, pitch_rad: float = 0.0
    ) -> np.ndarray:
        """The arm pose (6,) that has the pinch point at `point` (3,), fingers down, the fixed finger on the side of
        `jaw_yaw_rad` (scene's frame). With a pitch the jaw's direction is that of its projection from above, nearly.
        """
        across = self._beside * np.array([np.cos(jaw_yaw_rad), np.sin(jaw_yaw_rad)])
        x, y = np.asarray(point, dtype=float)[:2] - across
        pan = float(np.arctan2(y, x - self.pan_axis_x))
        roll = _wrap(jaw_yaw_rad - pan - np.pi + self._roll_zero) - self._roll_zero
        return np.array([pan, np.hypot(x - self.pan_axis_x, y), float(point[2]), pitch_rad, roll, gripper_rad])

    def _near_middle(self, joint: int, plane_rad: np.ndarray) -> np.ndarray:
        middle = self._sign[joint - 1] * self._middle[joint]
        return middle + (plane_rad - middle + np.pi) % (2 * np.pi) - np.pi


class _Turning:
    """A joint of the chain: xyz (3,) and rotation (3, 3) from the link before it, and its own turns about its axis."""

    def __init__(self, xyz: np.ndarray, rotation: np.ndarray, axis: Triple) -> None:
        self.xyz, self.rotation, self.axis = xyz, rotation, np.array(axis)
        self._cross, self._cross_squared = _crosses(axis)

    def turned(self, angle_rad: float) -> np.ndarray:
        """(3, 3)."""
        return _rodrigues(self._cross, self._cross_squared, angle_rad)


def _in_plane(along: np.ndarray) -> tuple[float, float]:
    """Length in the arm's plane (x, z), and angle from backward to up."""
    return float(np.hypot(along[0], along[2])), float(np.arctan2(along[2], -along[0]))


def _wrap(angle_rad: float) -> float:
    return float((angle_rad + np.pi) % (2 * np.pi) - np.pi)


def _rotation(rpy: Triple) -> np.ndarray:
    """(3, 3) of a URDF's roll, pitch, yaw."""
    roll, pitch, yaw = rpy
    return _turn((0, 0, 1), yaw) @ _turn((0, 1, 0), pitch) @ _turn((1, 0, 0), roll)


def _turn(axis: Triple, angle_rad: float) -> np.ndarray:
    """Rotation (3, 3) about a unit axis."""
    return _rodrigues(*_crosses(axis), angle_rad)


def _crosses(axis: Triple) -> tuple[np.ndarray, np.ndarray]:
    """The matrix (3, 3) that takes the cross product with an axis, and its square."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return cross, cross @ cross


def _rodrigues(cross: np.ndarray, cross_squared: np.ndarray, angle_rad: float) -> np.ndarray:
    return IDENTITY + math.sin(angle_rad) * cross + (1 - math.cos(angle_rad)) * cross_squared
