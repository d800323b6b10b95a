"""What statistics of a robot's states and actions look like, from its joint ranges in LeRobot's units."""

from __future__ import annotations

import numpy as np
import torch

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.normalization import Statistics
from smolvla_ros.units import LeRobotUnits


def joint_ranges(embodiment: Embodiment) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each joint, (joints,) each, in its `lerobot_unit`."""
    units = LeRobotUnits(embodiment)
    ends = np.stack([units.from_radians(embodiment.lower_rad), units.from_radians(embodiment.upper_rad)])
    return ends.min(axis=0), ends.max(axis=0)


def joint_range_statistics(embodiment: Embodiment) -> Statistics:
    """Statistics as if joints moved over their whole range, three standard deviations each way from its middle."""
    low, high = joint_ranges(embodiment)
    values = {"mean": (low + high) / 2, "std": (high - low) / 6, "min": low, "max": high, "q01": low, "q99": high}
    stats = {name: torch.from_numpy(value).float() for name, value in values.items()}
    return {STATE: stats, ACTION: {name: value.clone() for name, value in stats.items()}}
