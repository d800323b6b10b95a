from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.units import LeRobotUnits, ServoTicks

from so100_hardware import units as servo_units

ROBOT = load_embodiment()
fractions = st.lists(st.floats(0, 1), min_size=6, max_size=6).map(np.array)


def inside_limits(fraction: np.ndarray, robot: Embodiment = ROBOT) -> np.ndarray:
    return robot.lower_rad + fraction * (robot.upper_rad - robot.lower_rad)


@given(fractions)
def test_lerobot_units_and_ticks_are_exact_inverses(fraction: np.ndarray) -> None:
    radians = inside_limits(fraction)
    for units in (LeRobotUnits(ROBOT), ServoTicks(ROBOT)):
        np.testing.assert_allclose(units.to_radians(units.from_radians(radians)), radians, atol=1e-12)


@given(fractions)
def test_lerobot_units_equal_lerobots_own_formula(fraction: np.ndarray) -> None:
    """motors_bus.py: DEGREES is (raw - mid) * 360 / 4095, RANGE_0_100 is (raw - min) / (max - min) * 100."""
    radians = inside_limits(fraction)
    ticks = ServoTicks(ROBOT).from_radians(radians)
    values = LeRobotUnits(ROBOT).from_radians(radians)
    for joint, raw, value in zip(ROBOT.joints, ticks, values, strict=True):
        low, high = joint.range_ticks
        if joint.lerobot_unit == "degrees":
            expected = (raw - (low + high) / 2) * 360 / 4095
        else:
            expected = (raw - low) / (high - low) * 100
        assert value == pytest.approx(expected, abs=1e-9)


@given(fractions)
def test_the_servo_commands_convert_alike(fraction: np.ndarray) -> None:
    """so100_hardware has the same formulas for one joint: neither package needs the other to be installed."""
    radians = inside_limits(fraction)
    ticks, values = ServoTicks(ROBOT).from_radians(radians), LeRobotUnits(ROBOT).from_radians(radians)
    for joint, rad, raw, value in zip(ROBOT.joints, radians, ticks, values, strict=True):
        assert servo_units.ticks_from_radians(rad, joint.zero_ticks, joint.sign) == pytest.approx(raw, abs=1e-9)
        convert = getattr(servo_units, f"{joint.lerobot_unit}_from_ticks")
        assert convert(raw, joint.range_ticks) == pytest.approx(value, abs=1e-9)


def test_degrees_grow_as_lerobots_do() -> None:
    """LeRobot's pan turns clockwise seen from above, the URDF's counter-clockwise; the gripper opens from 0 to 100."""
    units = LeRobotUnits(ROBOT)
    home = units.from_radians(ROBOT.home_rad)
    moved = units.from_radians(ROBOT.home_rad + 0.1)
    assert list(np.sign(moved - home)) == [-1, 1, 1, 1, 1, 1]
    assert units.from_radians(ROBOT.upper_rad)[5] == pytest.approx(100, abs=0.1)


def test_batches_keep_their_shape() -> None:
    rows = np.tile(ROBOT.home_rad, (2, 50, 1))
    assert LeRobotUnits(ROBOT).from_radians(rows).shape == (2, 50, 6)


def test_speeds_have_the_joints_sign_and_no_offset() -> None:
    speed = ServoTicks(ROBOT).speed_from_radians(np.full(6, 2 * np.pi))
    np.testing.assert_allclose(speed, [-4096, 4096, 4096, 4096, 4096, 4096])
