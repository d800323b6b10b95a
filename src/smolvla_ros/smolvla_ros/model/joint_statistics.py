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


def untrained_statistics(embodiment: Embodiment) -> Statistics:
    """For a policy that has learned nothing: states over the whole range, actions in an eighth of it each way of home.

    An untrained policy draws its actions from noise; about home, noise makes the arm tremble and not thrash.
    """
    low, high = joint_ranges(embodiment)
    home, reach = LeRobotUnits(embodiment).from_radians(embodiment.home_rad), (high - low) / 8
    return {
        STATE: _over(low, high),
        ACTION: _over(np.maximum(low, home - reach), np.minimum(high, home + reach)),
    }


def _over(low: np.ndarray, high: np.ndarray) -> dict[str, torch.Tensor]:
    """Three standard deviations each way of the middle."""
    values = {"mean": (low + high) / 2, "std": (high - low) / 6, "min": low, "max": high, "q01": low, "q99": high}
    return {name: torch.from_numpy(value).float() for name, value in values.items()}
