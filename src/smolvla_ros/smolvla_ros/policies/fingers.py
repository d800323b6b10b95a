"""The room that the fingers of an SO-100 or SO-101 take around a 25 mm cube, seen from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.policies.interface import ObjectPose

# of the fingers, seen from above at the pinch point: how they stand apart, how thick and how wide they are
FIXED_FINGER_FROM_PINCH_M = 0.0109
GRIPPED_RAD, CUBE_EDGE_M, OPENING_M_PER_RAD = 0.13, 0.025, 0.077
FIXED_THICKNESS_M, MOVING_THICKNESS_M, FINGERS_HALF_WIDTH_M = 0.010, 0.016, 0.012
# what is laid down keeps so clear of other things that the open jaw finds room around either
ASIDE_M = 0.06
SPOTS_RADIUS_M, SPOTS_PAN_RAD = np.linspace(0.15, 0.25, 6), np.radians(np.arange(-70, 71, 5))


@dataclass(frozen=True)
class Opening:
    """How the open jaw comes down over a cube. The fixed finger stands `clearance_m` off the closed place, so that it
    comes down beside the cube, and moves up to it as the jaw closes.
    """

    gripper_rad: float
    clearance_m: float

    def fingers(self) -> tuple[float, float]:
        """From the moving finger's outer face to the fixed one's, m from the cube's centre along the jaw's axis."""
        fixed_m = self.clearance_m + FIXED_FINGER_FROM_PINCH_M
        apart_m = CUBE_EDGE_M + OPENING_M_PER_RAD * (self.gripper_rad - GRIPPED_RAD)
        return fixed_m - apart_m - MOVING_THICKNESS_M, fixed_m + FIXED_THICKNESS_M


WIDE, NARROW = Opening(0.55, 0.009), Opening(0.38, 0.005)


@dataclass(frozen=True)
class Obstacle:
    """Something square on the table."""

    pose: ObjectPose
    half_width_m: float


def yaw_of_sides(quaternion: np.ndarray) -> float:
    """Direction of a cube's side seen from above, whichever face it lies on: rad, within a quarter turn."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    axes = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
            [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
            [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    level = axes[np.argmin(np.abs(axes[:, 2]))]
    return float(np.arctan2(level[1], level[0]) % (np.pi / 2))


def overlap_m(cube: ObjectPose, obstacle: Obstacle, yaw: float, opening: Opening) -> float:
    """How deep the open jaw would come down into the obstacle, 0 where it is clear of it."""
    along = np.linspace(*opening.fingers(), 16)[:, None] * np.array([np.cos(yaw), np.sin(yaw)])
    turn = yaw_of_sides(obstacle.pose.quaternion)
    sides = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    offset = (cube.position[:2] + along - obstacle.pose.position[:2]) @ sides.T
    depth = obstacle.half_width_m + FINGERS_HALF_WIDTH_M - np.abs(offset).max(axis=1)
    return float(max(0.0, depth.max()))


def free_spots(near: np.ndarray, others: Sequence[Obstacle]) -> np.ndarray:
    """Points (spots, 2) of the table where there is room to lay a cube down, the nearest to a point (2,) first."""
    radius, pan = np.meshgrid(SPOTS_RADIUS_M, SPOTS_PAN_RAD)
    spots = np.stack([radius * np.cos(pan), radius * np.sin(pan)], axis=-1).reshape(-1, 2)
    spots = np.concatenate([near[None], spots])
    for other in others:
        clear = np.linalg.norm(spots - other.pose.position[:2], axis=1) > np.sqrt(2) * other.half_width_m + ASIDE_M
        spots = spots[clear]
    return spots[np.argsort(np.linalg.norm(spots - near, axis=1))]
