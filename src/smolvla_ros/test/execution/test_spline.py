from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.execution.spline import (
    hermite,
    highest_acceleration,
    highest_speed,
    knot_velocities,
    spline_through,
)

knots = st.integers(2, 30).flatmap(
    lambda count: st.tuples(
        st.lists(st.floats(0.02, 0.2), min_size=count, max_size=count).map(np.cumsum),
        st.lists(st.floats(-2, 2), min_size=count, max_size=count).map(lambda values: np.array(values)[:, None]),
    )
)


def controllers_cubic(p0: float, v0: float, p1: float, v1: float, duration: float) -> np.ndarray:
    """Coefficients of joint_trajectory_controller's interpolate_between_points for positions with velocities."""
    return np.array(
        [
            p0,
            v0,
            (-3 * p0 + 3 * p1 - 2 * v0 * duration - v1 * duration) / duration**2,
            (2 * p0 - 2 * p1 + v0 * duration + v1 * duration) / duration**3,
        ]
    )


@given(knots, st.floats(-3, 3), st.floats(-3, 3))
def test_the_controllers_cubics_between_rows_join_with_continuous_acceleration(
    points: tuple[np.ndarray, np.ndarray], start: float, end: float
) -> None:
    times, positions = points
    velocities = knot_velocities(times, positions, np.array([start]), np.array([end]))
    assert velocities[0, 0] == pytest.approx(start)
    assert velocities[-1, 0] == pytest.approx(end)
    cubics = [
        controllers_cubic(*positions[k], *velocities[k], *positions[k + 1], *velocities[k + 1], times[k + 1] - times[k])
        for k in range(len(times) - 1)
    ]
    greatest = highest_acceleration(times, positions, velocities)[0]
    for k in range(len(cubics) - 1):
        at_end = 2 * cubics[k][2] + 6 * cubics[k][3] * (times[k + 1] - times[k])
        assert at_end == pytest.approx(2 * cubics[k + 1][2], abs=1e-8 * max(1.0, greatest))


@given(knots)
def test_between_rows_the_curve_is_the_controllers_and_its_extremes_are_found(
    points: tuple[np.ndarray, np.ndarray],
) -> None:
    times, positions = points
    velocities = knot_velocities(times, positions)
    speeds, accelerations = [], []
    for k in range(len(times) - 1):
        duration = times[k + 1] - times[k]
        a, b, c, d = controllers_cubic(*positions[k], *velocities[k], *positions[k + 1], *velocities[k + 1], duration)
        t = np.linspace(0, duration, 101)
        position, velocity = hermite(times, positions, velocities, times[k] + t[:-1])
        np.testing.assert_allclose(position[:, 0], (a + b * t + c * t**2 + d * t**3)[:-1], atol=1e-9)
        np.testing.assert_allclose(velocity[:, 0], (b + 2 * c * t + 3 * d * t**2)[:-1], atol=1e-7)
        speeds.append(np.abs(b + 2 * c * t + 3 * d * t**2).max())
        accelerations.append(np.abs(2 * c + 6 * d * t).max())
    found = highest_speed(times, positions, velocities)[0]
    assert max(speeds) - 1e-7 <= found <= 1.01 * max(speeds) + 1e-7
    assert highest_acceleration(times, positions, velocities)[0] == pytest.approx(max(accelerations), abs=1e-6)


def test_a_parabola_is_its_own_spline() -> None:
    times = np.array([0.0, 0.1, 0.25, 0.3, 0.5])
    positions = (2 * times**2 - times)[:, None]
    velocities = knot_velocities(times, positions, np.array([-1.0]), np.array([1.0]))
    np.testing.assert_allclose(velocities[:, 0], 4 * times - 1, atol=1e-12)
    np.testing.assert_allclose(highest_speed(times, positions, velocities), 1.0)
    np.testing.assert_allclose(highest_acceleration(times, positions, velocities), 4.0)


def test_a_smooth_motion_sampled_at_30_hz_comes_back_within_a_ten_thousandth() -> None:
    times = np.arange(40) / 30
    at = np.linspace(0.2, 1.1, 500)
    found = spline_through(times, np.stack([np.sin(5 * times), np.cos(5 * times)], axis=1), at)
    np.testing.assert_allclose(found, np.stack([np.sin(5 * at), np.cos(5 * at)], axis=1), atol=1e-4)


def test_one_knot_is_a_place_at_rest() -> None:
    assert knot_velocities(np.array([1.0]), np.array([[2.0]])) == 0
    np.testing.assert_array_equal(spline_through(np.array([1.0]), np.array([[2.0]]), np.array([0.0, 3.0])), [[2], [2]])
