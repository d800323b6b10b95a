from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from so100_hardware.trajectory import (
    Trajectory,
    TrajectoryFollower,
    TrajectoryPoint,
    TrajectoryRejectedError,
)

NAMES = ("a", "b")


def follower(position: tuple[float, float] = (0.0, 0.0)) -> TrajectoryFollower:
    return TrajectoryFollower(NAMES, position)


def line(*times_and_positions: tuple[float, float], start_s: float | None = None, **more: object) -> Trajectory:
    points = [TrajectoryPoint(t, (p, -p), **more) for t, p in times_and_positions]  # type: ignore[arg-type]
    return Trajectory(NAMES, points, start_s)


def test_without_a_trajectory_it_holds() -> None:
    f = follower((0.3, -0.1))
    for now_s in (0.0, 5.0, 1e9):
        np.testing.assert_array_equal(f.sample(now_s).position, (0.3, -0.1))
    assert not f.active


def test_positions_alone_are_joined_by_lines() -> None:
    f = follower()
    f.accept(line((1.0, 1.0), (2.0, 0.0)), 100.0)
    assert f.active
    found = [f.sample(100.0 + t).position[0] for t in (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 9.0)]
    np.testing.assert_allclose(found, [0.0, 0.25, 0.5, 1.0, 0.5, 0.0, 0.0])
    assert not f.active


def test_stamp_0_starts_at_the_first_sample() -> None:
    f = follower()
    f.accept(line((1.0, 1.0)), 100.0)
    f.sample(100.4)
    assert f.sample(100.9).position[0] == pytest.approx(0.5)


def test_a_start_in_the_future_is_approached_from_now() -> None:
    f = follower()
    f.accept(line((0.0, 1.0), (1.0, 2.0), start_s=101.0), 100.0)
    found = [f.sample(100.0 + t).position[0] for t in (0.0, 0.5, 1.0, 1.5)]
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 1.5])


def test_points_in_the_past_are_skipped() -> None:
    f = follower((9.0, -9.0))
    f.accept(line((0.0, 0.0), (1.0, 1.0), (2.0, 2.0), start_s=98.5), 100.0)
    assert f.sample(100.0).position[0] == pytest.approx(1.5)


def test_a_trajectory_that_ended_in_the_past_is_rejected() -> None:
    f = follower()
    with pytest.raises(TrajectoryRejectedError, match=r"header.stamp: .*found one that was 0.500 s ago"):
        f.accept(line((1.0, 1.0), start_s=98.5), 100.0)
    assert not f.active


def test_a_new_trajectory_replaces_the_old_one_from_where_the_arm_was_told_to_be() -> None:
    f = follower()
    f.accept(line((1.0, 1.0)), 0.0)
    f.sample(0.0)
    assert f.sample(0.5).position[0] == pytest.approx(0.5)
    f.accept(line((1.0, -0.5)), 0.5)
    assert f.sample(0.5).position[0] == pytest.approx(0.5)
    assert f.sample(1.0).position[0] == pytest.approx(0.0)
    assert f.sample(1.5).position[0] == pytest.approx(-0.5)


def test_a_rejected_trajectory_leaves_the_present_one_going() -> None:
    f = follower()
    f.accept(line((1.0, 1.0)), 0.0)
    f.sample(0.0)
    with pytest.raises(TrajectoryRejectedError):
        f.accept(Trajectory(NAMES, ()), 0.2)
    assert f.sample(0.5).position[0] == pytest.approx(0.5)


def test_velocities_make_it_a_cubic_that_starts_with_the_velocity_it_has() -> None:
    f = follower()
    f.accept(Trajectory(NAMES, [TrajectoryPoint(1.0, (1.0, 0.0), (0.0, 0.0))]), 0.0)
    samples = [f.sample(t) for t in np.linspace(0.0, 1.0, 101)]
    assert samples[50].position[0] == pytest.approx(0.5)
    assert samples[50].velocity[0] == pytest.approx(1.5)
    assert samples[25].position[0] == pytest.approx(3 * 0.25**2 - 2 * 0.25**3)
    f.accept(Trajectory(NAMES, [TrajectoryPoint(2.0, (2.0, 0.0), (0.0, 0.0))]), 1.0)
    middle = f.sample(1.0), f.sample(2.0)
    f.accept(Trajectory(NAMES, [TrajectoryPoint(1.0, (2.0, 0.0), (0.0, 0.0))]), 2.0)
    assert f.sample(2.0).velocity[0] == pytest.approx(middle[1].velocity[0])  # continuous over the replacement
    assert middle[1].velocity[0] == pytest.approx(0.75)


vectors = st.floats(-5.0, 5.0)


@given(st.lists(vectors, min_size=6, max_size=6), st.floats(0.05, 3.0))
def test_a_quintic_meets_position_velocity_and_acceleration_at_both_ends(ends: list[float], duration_s: float) -> None:
    p0, v0, a0, p1, v1, a1 = ends
    f = follower((p0, 0.0))
    f.accept(
        Trajectory(
            NAMES,
            [
                TrajectoryPoint(1.0, (p0, 0.0), (v0, 0.0), (a0, 0.0)),
                TrajectoryPoint(1.0 + duration_s, (p1, 0.0), (v1, 0.0), (a1, 0.0)),
                TrajectoryPoint(9.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
            ],
        ),
        0.0,
    )
    f.sample(0.0)
    start = f.sample(1.0)
    end = f.sample(np.nextafter(1.0 + duration_s, 0.0))
    np.testing.assert_allclose([start.position[0], start.velocity[0], start.acceleration[0]], [p0, v0, a0], atol=1e-9)
    np.testing.assert_allclose([end.position[0], end.velocity[0]], [p1, v1], atol=1e-5)
    assert end.acceleration[0] == pytest.approx(a1, abs=1e-3)


def test_velocity_and_acceleration_are_the_derivatives_of_the_position() -> None:
    f = follower((0.2, 0.0))
    f.accept(Trajectory(NAMES, [TrajectoryPoint(1.0, (1.0, 0.5), (0.0, 0.0), (0.0, 0.0))]), 0.0)
    dt_s = 1e-4
    samples = [f.sample(t) for t in np.arange(0.0, 0.99, dt_s)]
    position = np.array([s.position for s in samples])
    velocity = np.array([s.velocity for s in samples])
    acceleration = np.array([s.acceleration for s in samples])
    np.testing.assert_allclose(np.diff(position, axis=0) / dt_s, (velocity[1:] + velocity[:-1]) / 2, atol=1e-5)
    np.testing.assert_allclose(np.diff(velocity, axis=0) / dt_s, (acceleration[1:] + acceleration[:-1]) / 2, atol=1e-3)


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(-3.0, 3.0)), min_size=1, max_size=6),
    st.lists(st.floats(0.001, 0.5), min_size=2, max_size=40),
)
def test_lines_stay_between_their_points_and_end_at_the_last(steps: list, waits: list[float]) -> None:
    times = np.cumsum([s for s, _ in steps])
    positions = [p for _, p in steps]
    f = follower()
    f.accept(line(*zip(times.tolist(), positions, strict=True)), 0.0)
    f.sample(0.0)
    for now_s in np.cumsum(waits):
        expected = np.interp(now_s, [0.0, *times], [0.0, *positions])
        assert f.sample(now_s).position[0] == pytest.approx(expected, abs=1e-9)
    assert f.sample(1e6).position[0] == positions[-1]


def test_joints_may_come_in_any_order() -> None:
    f = follower()
    f.accept(Trajectory(("b", "a"), [TrajectoryPoint(1.0, (5.0, 7.0))]), 0.0)
    f.sample(0.0)
    np.testing.assert_allclose(f.sample(2.0).position, (7.0, 5.0))


good = TrajectoryPoint(1.0, (0.0, 0.0))


@pytest.mark.parametrize(
    ("trajectory", "message"),
    [
        (Trajectory(("a",), [TrajectoryPoint(1.0, (0.0,))]), "joint_names: expected each of a, b once, found a"),
        (Trajectory(("a", "c"), [good]), "joint_names: expected each of a, b once, found a, c"),
        (Trajectory(("a", "a"), [good]), "joint_names: expected each of a, b once, found a, a"),
        (Trajectory((), [good]), "joint_names: expected each of a, b once, found none"),
        (Trajectory(NAMES, []), "points: expected at least one, found none"),
        (
            Trajectory(NAMES, [good, good]),
            r"points\[1\].time_from_start: expected more than 1 s, .*found 1 s",
        ),
        (Trajectory(NAMES, [TrajectoryPoint(-1.0, (0.0, 0.0))]), r"points\[0\].time_from_start: expected 0 s or more"),
        (Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0,))]), r"points\[0\].positions: expected 2 values, found 1"),
        (Trajectory(NAMES, [TrajectoryPoint(1.0, ())]), r"points\[0\].positions: expected 2 values, found 0"),
        (Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0, float("nan")))]), r"points\[0\].positions: expected finite"),
        (Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0, 0.0), (0.0,))]), r"points\[0\].velocities: expected 2 values"),
        (
            Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0, 0.0), (0.0, 0.0), (1.0,))]),
            r"points\[0\].accelerations: expected 2 values",
        ),
        (
            Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0, 0.0), (0.0, 0.1))]),
            r"points\[0\].velocities: expected 0 at the end, found 0.1 rad/s",
        ),
        (
            Trajectory(NAMES, [TrajectoryPoint(1.0, (0.0, 0.0), effort=(1.0, 1.0))]),
            r"points\[0\].effort: expected",
        ),
    ],
)
def test_what_the_controller_rejects_is_rejected_with_both_sides_named(trajectory: Trajectory, message: str) -> None:
    with pytest.raises(TrajectoryRejectedError, match=message):
        follower().accept(trajectory, 0.0)
