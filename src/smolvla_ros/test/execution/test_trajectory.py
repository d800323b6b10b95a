from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.trajectory import stop_from, through_rows

LIMITS = MotionLimits.of(load_embodiment())


def test_a_sampled_trajectory_goes_through_its_rows_with_continuous_velocity() -> None:
    times = np.arange(1, 20) / 30
    rows = np.sin(3 * times)[:, None] * np.ones(6)
    trajectory = through_rows(0.0, np.zeros(6), np.full(6, 3.0), times, rows)
    for time_s, row in zip(times, rows, strict=True):
        before, after = trajectory.sample(time_s - 1e-7), trajectory.sample(time_s + 1e-7)
        np.testing.assert_allclose(before[0], row, atol=1e-5)
        if time_s != times[-1]:
            np.testing.assert_allclose(before[1], after[1], atol=1e-3)
    middle = 0.5 * (times[5] + times[6])
    np.testing.assert_allclose(trajectory.sample(middle)[0], np.sin(3 * middle), atol=1e-3)


def test_a_new_trajectory_begins_as_the_old_one_moves() -> None:
    times = np.arange(1, 20) / 30
    old = through_rows(0.0, np.zeros(6), np.zeros(6), times, np.sin(3 * times)[:, None] * np.ones(6))
    position, velocity = old.sample(0.333)
    new = through_rows(0.333, position, velocity, np.array([0.4, 0.43]), np.full((2, 6), 0.9))
    np.testing.assert_allclose(new.sample(0.333)[0], position)
    np.testing.assert_allclose(new.sample(0.333)[1], velocity)


def test_the_last_velocity_is_zero_as_the_controller_demands() -> None:
    trajectory = through_rows(0.0, np.zeros(6), np.ones(6), np.array([0.1, 0.2]), np.ones((2, 6)))
    np.testing.assert_array_equal(trajectory.velocities[-1], np.zeros(6))
    np.testing.assert_array_equal(trajectory.sample(99.0)[1], np.zeros(6))


def test_one_row_is_enough() -> None:
    trajectory = through_rows(0.0, np.zeros(6), np.zeros(6), np.array([0.1]), np.ones((1, 6)))
    np.testing.assert_allclose(trajectory.sample(0.05)[0], 0.5)


def test_a_hold_brakes_at_the_acceleration_limit_inside_the_position_limits() -> None:
    velocity = np.array([2.0, 0, 0, 0, 0, 0])
    hold = stop_from(5.0, load_embodiment().home_rad, velocity, LIMITS)
    duration = hold.times_s[-1] - 5.0
    assert duration == pytest.approx(2.0 / LIMITS.acceleration[0])
    assert hold.positions[-1][0] == pytest.approx(2.0 * duration / 2)
    at_limit = stop_from(5.0, LIMITS.upper, np.full(6, 2.0), LIMITS)
    np.testing.assert_array_equal(at_limit.positions[-1], LIMITS.upper)
