from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.trajectory import BRAKE_TICK_S, Trajectory, stop_from, through_rows

LIMITS = MotionLimits.of(load_embodiment())
HOME = load_embodiment().home_rad
WIDE = replace(LIMITS, lower=np.full(6, -9.0), upper=np.full(6, 9.0))
REST = np.zeros(6)


def path(trajectory: Trajectory, count: int = 400) -> tuple[np.ndarray, np.ndarray, float]:
    """Positions and velocities (count, joints) sampled evenly, and the time between samples."""
    times = np.linspace(trajectory.times_s[0], trajectory.end_s, count)
    samples = [trajectory.sample(time_s) for time_s in times]
    return np.array([p for p, _ in samples]), np.array([v for _, v in samples]), float(times[1] - times[0])


def test_a_sampled_trajectory_goes_through_its_rows_with_continuous_velocity() -> None:
    times = np.arange(1, 20) / 30
    rows = np.sin(3 * times)[:, None] * np.ones(6)
    trajectory = through_rows(0.0, REST, np.full(6, 3.0), times, rows, WIDE)
    for time_s, row in zip(times, rows, strict=True):
        before, after = trajectory.sample(time_s - 1e-7), trajectory.sample(time_s + 1e-7)
        np.testing.assert_allclose(before[0], row, atol=1e-5)
        np.testing.assert_allclose(before[1], after[1], atol=1e-3)
    middle = 0.5 * (times[5] + times[6])
    np.testing.assert_allclose(trajectory.sample(middle)[0], np.sin(3 * middle), atol=1e-3)


def test_a_new_trajectory_begins_as_the_old_one_moves() -> None:
    times = np.arange(1, 20) / 30
    old = through_rows(0.0, REST, REST, times, np.sin(3 * times)[:, None] * np.ones(6), WIDE)
    position, velocity = old.sample(0.333)
    new = through_rows(0.333, position, velocity, np.array([0.4, 0.43]), np.full((2, 6), 0.9), WIDE)
    np.testing.assert_allclose(new.sample(0.333)[0], position)
    np.testing.assert_allclose(new.sample(0.333)[1], velocity)


def test_an_arm_that_ends_in_motion_brakes_at_its_acceleration_limit() -> None:
    """Not within one step, as it would if the last row's velocity were simply said to be zero."""
    times = np.arange(1, 11) / 30
    rows = 3.0 * times[:, None] * np.ones(6)
    trajectory = through_rows(0.0, REST, np.full(6, 3.0), times, rows, WIDE)
    np.testing.assert_array_equal(trajectory.velocities[-1], REST)
    np.testing.assert_array_equal(trajectory.sample(99.0)[1], REST)
    _, velocities, dt = path(trajectory)
    deceleration = np.abs(np.diff(velocities, axis=0)).max(axis=0) / dt
    assert np.all(deceleration <= LIMITS.acceleration * 1.001)
    assert trajectory.end_s - times[-1] == pytest.approx(3.0 / LIMITS.acceleration[0], abs=1e-3)


def test_a_plan_that_ends_at_rest_ends_where_it_says() -> None:
    rows = np.concatenate([np.linspace(0, 0.1, 10), [0.1, 0.1]])[:, None] * np.ones(6)
    trajectory = through_rows(0.0, REST, REST, np.arange(1, 13) / 30, rows, WIDE)
    np.testing.assert_array_equal(trajectory.positions[-1], np.full(6, 0.1))
    assert trajectory.end_s == pytest.approx(12 / 30)


def test_one_row_is_enough() -> None:
    trajectory = through_rows(0.0, REST, REST, np.array([0.1]), np.full((1, 6), 0.01), WIDE)
    np.testing.assert_allclose(trajectory.sample(0.1)[0], 0.01)
    np.testing.assert_array_equal(trajectory.velocities[-1], REST)


near_zero = st.floats(0, 9).map(lambda exponent: 10**-exponent)
shares = st.floats(0, 1) | near_zero | near_zero.map(lambda share: 1 - share)


@given(arrays(float, 6, elements=shares), arrays(float, 6, elements=shares | shares.map(lambda share: -share)))
@example(np.array([0.99999, 0, 0.99999, 0, 0, 0]), np.full(6, 0.9921875))
def test_a_hold_stops_every_joint_inside_the_limits(share: np.ndarray, speed: np.ndarray) -> None:
    """From any state that the filter lets through: one that leaves room to brake."""
    position = np.clip(LIMITS.lower + share * (LIMITS.upper - LIMITS.lower), LIMITS.lower, LIMITS.upper)
    room = np.where(speed > 0, LIMITS.upper - position, position - LIMITS.lower)
    velocity = speed * np.minimum(LIMITS.velocity, np.sqrt(2 * LIMITS.acceleration * room))
    hold = stop_from(5.0, position, velocity, LIMITS)
    positions, velocities, dt = path(hold)
    np.testing.assert_allclose(positions[0], position)
    np.testing.assert_allclose(velocities[0], velocity)
    np.testing.assert_array_equal(hold.velocities[-1], REST)
    assert np.all(positions >= LIMITS.lower - 1e-6)
    assert np.all(positions <= LIMITS.upper + 1e-6)
    assert np.all(positions[-1] >= LIMITS.lower)
    assert np.all(positions[-1] <= LIMITS.upper)
    # whole ticks: where the room is just enough, the last one begun may not be there
    ticks = np.abs(velocity) / LIMITS.acceleration / BRAKE_TICK_S
    hardest = LIMITS.acceleration * np.maximum(1.0, ticks / np.maximum(np.floor(ticks * (1 - 1e-6)), 1.0))
    assert np.all(np.abs(np.diff(velocities, axis=0)) / dt <= 1.001 * hardest)
    assert hold.end_s - 5.0 < 0.2
    assert np.all(np.diff(hold.times_s) >= 0.9e-4)


def test_a_hold_brakes_evenly_at_the_acceleration_limit() -> None:
    velocity = np.array([2.0, 0, 0, 0, 0, 0])
    hold = stop_from(5.0, HOME, velocity, LIMITS)
    duration = hold.end_s - 5.0
    assert duration == pytest.approx(2.0 / LIMITS.acceleration[0])
    assert hold.positions[-1][0] == pytest.approx(2.0 * duration / 2)
    np.testing.assert_array_equal(hold.positions[-1][1:], HOME[1:])


def test_a_hold_outside_the_limits_brings_the_joint_to_the_nearer_one() -> None:
    outside = HOME.copy()
    outside[2] = LIMITS.upper[2] + 0.05
    hold = stop_from(0.0, outside, REST, LIMITS)
    assert hold.positions[-1][2] == LIMITS.upper[2]
    _, velocities, dt = path(hold)
    assert np.abs(np.diff(velocities, axis=0)).max() / dt <= 1.05 * LIMITS.acceleration[2]


def test_a_joint_just_inside_its_limit_does_not_brake_beyond_it() -> None:
    almost, velocity = LIMITS.upper - 1e-4, np.full(6, 2.0)
    hold = stop_from(0.0, almost, velocity, LIMITS)
    assert np.all(hold.positions <= LIMITS.upper)
    assert np.all(hold.velocities[-1] == 0)
