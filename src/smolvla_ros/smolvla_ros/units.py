"""Radians on the wire, ticks on the servo bus, LeRobot's units in datasets and checkpoints: exact inverses.

LeRobot 0.6 (`motors_bus.py`, MotorNormMode): degrees are (ticks - middle of the range) * 360 / 4095, ranges run over
range_min..range_max. Values are neither clipped nor rounded here: that is the servo's and the safety filter's.
"""

from __future__ import annotations

import numpy as np

from smolvla_ros.embodiment import TICKS_PER_TURN, Embodiment, Joint

LEROBOT_DEGREES_PER_TICK = 360.0 / (TICKS_PER_TURN - 1)


class ServoTicks:
    """Radians (..., joints) to servo positions (..., joints) in ticks, as floats, and back."""

    def __init__(self, embodiment: Embodiment) -> None:
        self._zero = np.array([float(joint.zero_ticks) for joint in embodiment.joints])
        self._ticks_per_radian = np.array([joint.sign * TICKS_PER_TURN / (2 * np.pi) for joint in embodiment.joints])

    def from_radians(self, radians: np.ndarray) -> np.ndarray:
        return self._zero + np.asarray(radians) * self._ticks_per_radian

    def to_radians(self, ticks: np.ndarray) -> np.ndarray:
        return (np.asarray(ticks) - self._zero) / self._ticks_per_radian

    def speed_from_radians(self, radians_per_second: np.ndarray) -> np.ndarray:
        """rad/s to ticks/s."""
        return np.asarray(radians_per_second) * self._ticks_per_radian


class LeRobotUnits:
    """Radians (..., joints) to each joint's `lerobot_unit` and back."""

    def __init__(self, embodiment: Embodiment) -> None:
        self._ticks = ServoTicks(embodiment)
        origin, scale = zip(*(_affine(joint) for joint in embodiment.joints), strict=True)
        self._origin_ticks, self._unit_per_tick = np.array(origin), np.array(scale)
        self._offset = np.array(
            [-100.0 if joint.lerobot_unit == "range_m100_100" else 0.0 for joint in embodiment.joints]
        )

    def from_radians(self, radians: np.ndarray) -> np.ndarray:
        return (self._ticks.from_radians(radians) - self._origin_ticks) * self._unit_per_tick + self._offset

    def to_radians(self, values: np.ndarray) -> np.ndarray:
        return self._ticks.to_radians((np.asarray(values) - self._offset) / self._unit_per_tick + self._origin_ticks)


def _affine(joint: Joint) -> tuple[float, float]:
    """(ticks at the unit's origin, unit per tick)."""
    low, high = joint.range_ticks
    if joint.lerobot_unit == "degrees":
        return (low + high) / 2, LEROBOT_DEGREES_PER_TICK
    span = 200.0 if joint.lerobot_unit == "range_m100_100" else 100.0
    return float(low), span / (high - low)
