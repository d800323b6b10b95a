"""A joint's position in the units that people and programs use: ticks, radians, LeRobot's degrees, percent.

    angle = radians_from_ticks(ticks, zero_ticks=2047, sign=-1)
    value = degrees_from_ticks(ticks, range_ticks=(743, 3351))

Nothing is clipped or rounded here; `nearest_tick` is the one rounding. So each pair of functions are exact inverses.
LeRobot's formulas are those of 0.6.1, `motors_bus.py`; its own way back cuts off the fraction of a tick.
"""

from __future__ import annotations

import math
from enum import Enum

TICKS_PER_TURN = 4096
TICKS_PER_RADIAN = TICKS_PER_TURN / (2 * math.pi)
# LeRobot's: the last tick, not the turn, is 360 degrees.
LEROBOT_TICKS_PER_DEGREE = (TICKS_PER_TURN - 1) / 360
OLD_TICKS_PER_DEGREE = TICKS_PER_TURN / 360


class Zero(Enum):
    """Where LeRobot's degrees of an SO-100 start."""

    STRETCHED = "the arm stretched out level: LeRobot before its pull request 777 of June 2025"
    MIDDLE = "the middle of each joint's calibrated range: LeRobot since then"


def nearest_tick(ticks: float) -> int:
    """The tick that a servo can hold. Halves go up, so that neighbours never share one."""
    return math.floor(ticks + 0.5)


def radians_from_ticks(ticks: float, zero_ticks: float, sign: int) -> float:
    """Ticks to radians about the description's zero; `sign` is 1 where ticks grow with the angle, else -1."""
    return sign * (ticks - zero_ticks) / TICKS_PER_RADIAN


def ticks_from_radians(rad: float, zero_ticks: float, sign: int) -> float:
    return zero_ticks + sign * rad * TICKS_PER_RADIAN


def middle(range_ticks: tuple[int, int]) -> float:
    """The tick that is LeRobot's zero. A half where the range is odd."""
    return (range_ticks[0] + range_ticks[1]) / 2


def degrees_from_ticks(ticks: float, range_ticks: tuple[int, int]) -> float:
    """Ticks to LeRobot's degrees about the middle (`Zero.MIDDLE`)."""
    return (ticks - middle(range_ticks)) / LEROBOT_TICKS_PER_DEGREE


def ticks_from_degrees(degrees: float, range_ticks: tuple[int, int]) -> float:
    return degrees * LEROBOT_TICKS_PER_DEGREE + middle(range_ticks)


def range_m100_100_from_ticks(ticks: float, range_ticks: tuple[int, int], inverted: bool = False) -> float:
    """Ticks to -100 at range_min and 100 at range_max; `inverted` (LeRobot's drive_mode) turns them round."""
    low, high = range_ticks
    value = (ticks - low) / (high - low) * 200 - 100
    return -value if inverted else value


def ticks_from_range_m100_100(value: float, range_ticks: tuple[int, int], inverted: bool = False) -> float:
    low, high = range_ticks
    return ((-value if inverted else value) + 100) / 200 * (high - low) + low


def range_0_100_from_ticks(ticks: float, range_ticks: tuple[int, int], inverted: bool = False) -> float:
    """Ticks to 0 at range_min and 100 at range_max; `inverted` (LeRobot's drive_mode) turns them round."""
    low, high = range_ticks
    value = (ticks - low) / (high - low) * 100
    return 100 - value if inverted else value


def ticks_from_range_0_100(value: float, range_ticks: tuple[int, int], inverted: bool = False) -> float:
    low, high = range_ticks
    return (100 - value if inverted else value) / 100 * (high - low) + low


def old_degrees_from_ticks(ticks: float, homing_offset: float, inverted: bool) -> float:
    """Ticks to degrees about the stretched arm (`Zero.STRETCHED`); the offset is the old calibration file's."""
    return ((-ticks if inverted else ticks) + homing_offset) / OLD_TICKS_PER_DEGREE


def ticks_from_old_degrees(degrees: float, homing_offset: float, inverted: bool) -> float:
    ticks = degrees * OLD_TICKS_PER_DEGREE - homing_offset
    return -ticks if inverted else ticks


# LeRobot's own sentence for its old recordings: lift is -(lift - 90), elbow is elbow - 90, the rest as it was.
_OLD_TO_NEW = {"shoulder_lift": (-1, 90.0), "elbow_flex": (1, -90.0)}


def new_degrees_from_old(joint: str, degrees: float) -> float:
    """`Zero.STRETCHED` to `Zero.MIDDLE` for a joint of the SO-100, by its name."""
    sign, shift = _OLD_TO_NEW.get(joint, (1, 0.0))
    return sign * degrees + shift


def old_degrees_from_new(joint: str, degrees: float) -> float:
    sign, shift = _OLD_TO_NEW.get(joint, (1, 0.0))
    return sign * (degrees - shift)
