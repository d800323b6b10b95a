"""Angles on the wire (the official URDF's) and angles of the MuJoCo model: one table.

Both models have the same links; their joints start from other poses. mjcf = wire + offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

QUARTER = 1.57079  # as both files write it


@dataclass(frozen=True)
class MappedJoint:
    """mjcf angle = wire angle + offset_rad. `axis` is the joint's, in its MJCF body."""

    mjcf_name: str
    offset_rad: float
    axis: tuple[int, int, int]


JOINT_MAP = {
    "shoulder_pan": MappedJoint("Rotation", 0.0, (0, 1, 0)),
    "shoulder_lift": MappedJoint("Pitch", -1.8 - QUARTER, (1, 0, 0)),
    "elbow_flex": MappedJoint("Elbow", 2 * QUARTER, (1, 0, 0)),
    "wrist_flex": MappedJoint("Wrist_Pitch", QUARTER - 1.0, (1, 0, 0)),
    "wrist_roll": MappedJoint("Wrist_Roll", QUARTER, (0, 1, 0)),
    "gripper": MappedJoint("Jaw", 0.0, (0, 0, 1)),
}


def mjcf_from_wire(joint: str, wire_rad: float) -> float:
    return wire_rad + JOINT_MAP[joint].offset_rad


def offsets(joints: Sequence[str]) -> np.ndarray:
    """(joints,) rad: what to add to wire angles."""
    return np.array([JOINT_MAP[joint].offset_rad for joint in joints])
