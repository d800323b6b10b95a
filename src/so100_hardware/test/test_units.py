"""Units against LeRobot's formulas, copied in meaning from 0.6.1's motors_bus.py, and against themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from so100_hardware import ServoJoint, units

ticks = st.integers(0, 4095)
ranges = st.tuples(st.integers(0, 4094), st.integers(1, 4095)).filter(lambda r: r[0] < r[1])
inverted = st.booleans()
signs = st.sampled_from([1, -1])


def inside(range_ticks: tuple[int, int]) -> st.SearchStrategy[int]:
    return st.integers(*range_ticks)


ranges_and_ticks = ranges.flatmap(lambda r: st.tuples(st.just(r), inside(r)))


def lerobot_normalize(mode: str, raw: int, low: int, high: int, drive_mode: bool) -> float:
    bounded = min(high, max(low, raw))
    if mode == "range_m100_100":
        value = ((bounded - low) / (high - low)) * 200 - 100
        return -value if drive_mode else value
    if mode == "range_0_100":
        value = ((bounded - low) / (high - low)) * 100
        return 100 - value if drive_mode else value
    return (raw - (low + high) / 2) * 360 / 4095


def lerobot_unnormalize(mode: str, value: float, low: int, high: int, drive_mode: bool) -> int:
    if mode == "range_m100_100":
        value = -value if drive_mode else value
        return int(((min(100.0, max(-100.0, value)) + 100) / 200) * (high - low) + low)
    if mode == "range_0_100":
        value = 100 - value if drive_mode else value
        return int((min(100.0, max(0.0, value)) / 100) * (high - low) + low)
    return int((value * 4095 / 360) + (low + high) / 2)


def ours(mode: str, raw: float, range_ticks: tuple[int, int], drive_mode: bool) -> float:
    if mode == "degrees":
        return units.degrees_from_ticks(raw, range_ticks)
    convert = units.range_m100_100_from_ticks if mode == "range_m100_100" else units.range_0_100_from_ticks
    return convert(raw, range_ticks, drive_mode)


def back(mode: str, value: float, range_ticks: tuple[int, int], drive_mode: bool) -> float:
    if mode == "degrees":
        return units.ticks_from_degrees(value, range_ticks)
    convert = units.ticks_from_range_m100_100 if mode == "range_m100_100" else units.ticks_from_range_0_100
    return convert(value, range_ticks, drive_mode)


MODES = ("degrees", "range_m100_100", "range_0_100")


@pytest.mark.parametrize("mode", MODES)
@given(case=ranges_and_ticks, drive_mode=inverted)
def test_values_are_lerobots(mode: str, case: tuple[tuple[int, int], int], drive_mode: bool) -> None:
    range_ticks, raw = case
    expected = lerobot_normalize(mode, raw, *range_ticks, drive_mode)
    assert ours(mode, raw, range_ticks, drive_mode) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mode", MODES)
@given(case=ranges_and_ticks, drive_mode=inverted)
def test_every_tick_comes_back(mode: str, case: tuple[tuple[int, int], int], drive_mode: bool) -> None:
    range_ticks, raw = case
    assert units.nearest_tick(back(mode, ours(mode, raw, range_ticks, drive_mode), range_ticks, drive_mode)) == raw


@pytest.mark.parametrize("mode", MODES)
@given(case=ranges_and_ticks, drive_mode=inverted)
def test_lerobots_way_back_ends_within_one_tick_of_ours(
    mode: str, case: tuple[tuple[int, int], int], drive_mode: bool
) -> None:
    range_ticks, raw = case
    value = ours(mode, raw, range_ticks, drive_mode)
    theirs = lerobot_unnormalize(mode, value, *range_ticks, drive_mode)
    assert abs(units.nearest_tick(back(mode, value, range_ticks, drive_mode)) - theirs) <= 1


@given(ticks, st.integers(-4096, 8192), signs)
def test_radians_bring_every_tick_back(raw: int, zero: int, sign: int) -> None:
    rad = units.radians_from_ticks(raw, zero, sign)
    assert units.nearest_tick(units.ticks_from_radians(rad, zero, sign)) == raw


@given(st.floats(-10, 10), st.integers(0, 4095), signs)
def test_radians_are_the_drivers(rad: float, zero: int, sign: int) -> None:
    joint = ServoJoint("a", 1, sign, zero, (0, 4095), (-3.0, 3.0))
    assert units.ticks_from_radians(rad, zero, sign) == pytest.approx(joint.ticks(rad), abs=1e-9)
    assert units.radians_from_ticks(rad, zero, sign) == pytest.approx(joint.radians(rad), abs=1e-12)


@given(ticks, st.integers(-8192, 8192), inverted)
def test_old_degrees_bring_every_tick_back(raw: int, offset: int, drive_mode: bool) -> None:
    degrees = units.old_degrees_from_ticks(raw, offset, drive_mode)
    assert units.nearest_tick(units.ticks_from_old_degrees(degrees, offset, drive_mode)) == raw


@given(ticks, st.integers(-8192, 8192), inverted)
def test_old_degrees_are_lerobots(raw: int, offset: int, drive_mode: bool) -> None:
    """feetech.py's apply_calibration: drive mode, offset, then half a turn of 2048 steps is 180 degrees."""
    expected = ((raw * -1 if drive_mode else raw) + offset) / (4096 // 2) * 180
    assert units.old_degrees_from_ticks(raw, offset, drive_mode) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("joint", "old", "new"), [("shoulder_lift", 90, 0), ("elbow_flex", 90, 0), ("wrist_roll", 90, 90)]
)
def test_the_old_zero_lies_where_lerobots_replay_script_puts_it(joint: str, old: float, new: float) -> None:
    assert units.new_degrees_from_old(joint, old) == new
    assert units.new_degrees_from_old("shoulder_lift", 30) == -(30 - 90)
    assert units.new_degrees_from_old("elbow_flex", 30) == 30 - 90


@given(st.sampled_from(["shoulder_pan", "shoulder_lift", "elbow_flex", "gripper"]), st.floats(-270, 270))
def test_old_and_new_degrees_are_inverses(joint: str, degrees: float) -> None:
    assert units.old_degrees_from_new(joint, units.new_degrees_from_old(joint, degrees)) == pytest.approx(degrees)


def test_rounding_never_gives_two_ticks_to_one() -> None:
    assert [units.nearest_tick(t) for t in (-1.5, -0.5, 0.49, 0.5, 1.5, 2.5)] == [-1, 0, 0, 1, 2, 3]
    assert math.isclose(units.TICKS_PER_RADIAN, 651.8986469)
