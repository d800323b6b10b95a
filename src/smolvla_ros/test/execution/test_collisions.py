from __future__ import annotations

import numpy as np
import pytest
from bench import HOME, LIMITS, TASK, Bench
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from smolvla_ros.execution.collisions import (
    DEEPER_M,
    SAMPLE_RAD,
    TOLERANCE_M,
    CollisionCheck,
    clear_motion,
    sample_times,
)
from smolvla_ros.execution.executor import Mode
from smolvla_ros.execution.spline import hermite
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.execution.within_limits import LimitedMotion, motion_within

PAN_LENGTH_M = 0.4
WALL = HOME[0] + 0.12


def wall(positions: np.ndarray) -> dict[tuple[str, str], float]:
    """An upright wall beside the arm: whatever turns beyond WALL is in it."""
    depth_m = PAN_LENGTH_M * (positions[0] - WALL)
    return {("gripper", "wall"): float(depth_m)} if depth_m > 0 else {}


CHECK = CollisionCheck(wall, TOLERANCE_M)


def planned(rows: np.ndarray, start: np.ndarray = HOME, velocity: np.ndarray | None = None) -> LimitedMotion:
    times = np.arange(1, len(rows) + 1) / 30
    return motion_within(0.0, start, np.zeros(6) if velocity is None else velocity, times, rows, LIMITS)


def deepest(trajectory: Trajectory) -> float:
    times = np.linspace(trajectory.times_s[0], trajectory.times_s[-1], 2000)
    poses, _ = hermite(trajectory.times_s, trajectory.positions, trajectory.velocities, times)
    return PAN_LENGTH_M * float(poses[:, 0].max() - WALL)


@given(arrays(float, (12, 6), elements=st.floats(-2, 2)), arrays(float, 6, elements=st.floats(-3, 3)))
def test_no_joint_moves_farther_between_two_looks_than_it_may(rows: np.ndarray, velocity: np.ndarray) -> None:
    trajectory = planned(rows, velocity=velocity).trajectory
    times = sample_times(trajectory)
    assert (times[0], times[-1]) == (trajectory.times_s[0], trajectory.times_s[-1])
    assert np.isin(np.round(trajectory.times_s, 9), np.round(times, 9)).all()
    poses, _ = hermite(trajectory.times_s, trajectory.positions, trajectory.velocities, times)
    assert np.abs(np.diff(poses, axis=0)).max(initial=0.0) <= SAMPLE_RAD * (1 + 1e-9)


@given(arrays(float, (25, 6), elements=st.floats(-0.5, 0.5)), st.floats(-1.0, 1.0))
def test_what_is_left_of_any_motion_stays_clear_while_it_brakes_too(rows: np.ndarray, speed: float) -> None:
    rows, velocity = HOME + np.cumsum(0.1 * rows, axis=0), np.array([speed, 0, 0, 0, 0, 0])
    times = np.arange(1, 26) / 30
    clear = clear_motion(lambda count: planned(rows[:count], velocity=velocity), times, CHECK)
    whole = deepest(planned(rows, velocity=velocity).trajectory)
    assert (clear.rows == 25) == (clear.collision is None)
    if clear.motion is not None:
        # between two looks the fingers may go on by less than this
        assert deepest(clear.motion.trajectory) <= TOLERANCE_M + PAN_LENGTH_M * SAMPLE_RAD
        assert len(clear.motion.rows) == clear.rows
    if whole <= TOLERANCE_M:
        assert clear.collision is None


def test_a_wave_against_a_wall_is_followed_up_to_it_then_the_arm_holds_and_says_why() -> None:
    free, bench = Bench(), Bench(collisions=CHECK)
    for each in (free, bench):
        each.run(0.1)
        each.executor.start_task(TASK, each.now_s)
    free.run(1.4)
    assert free.commanded()[0] > WALL + 0.05
    bench.run(1.4)
    assert max(deepest(trajectory) for trajectory in bench.trajectories) <= TOLERANCE_M + PAN_LENGTH_M * SAMPLE_RAD
    assert bench.commanded()[0] > WALL - 0.06
    assert bench.moved(0.2) < 1e-6
    executor = bench.executor
    assert executor.mode == Mode.FAULT
    assert executor.reason.startswith("rows refused: collision: gripper and wall would be ")
    assert "at most 5 mm are taken (parameter collision_tolerance)" in executor.reason
    assert executor.counts.rows_refused > 20
    assert executor.counts.refusals["collision"] > 1
    assert executor.held_s > 0.1


def test_the_policy_is_not_asked_at_every_tick_while_all_that_it_says_is_refused() -> None:
    bench = Bench(latency_s=0.0, collisions=CollisionCheck(lambda _positions: {}, TOLERANCE_M))
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(0.2)
    bench.executor.collisions = CollisionCheck(lambda positions: {("a", "b"): 1.0 + positions[0]}, TOLERANCE_M)
    bench.run(1.0)
    count = len(bench.requests)
    bench.run(2.0)
    assert 2 <= len(bench.requests) - count <= 11


def test_the_arm_goes_on_when_the_policy_leads_it_away() -> None:
    bench = Bench(collisions=CHECK)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(4.7)  # the wave turns back after half a period
    assert bench.executor.mode == Mode.RUNNING
    assert bench.commanded()[0] < HOME[0] - 0.03


@pytest.mark.parametrize(("to", "refused"), [(-0.2, False), (0.0, False), (0.05, True)])
def test_an_arm_that_is_in_something_may_leave_it_but_go_no_deeper(to: float, refused: bool) -> None:
    inside = HOME.copy()
    inside[0] = WALL + 0.1
    rows = inside + to * np.linspace(0, 1, 20)[:, None] * np.array([1, 0, 0, 0, 0, 0])
    found = CHECK.first(planned(rows, start=inside).trajectory)
    assert (found is not None) == refused
    if found is not None:
        assert found.pair == ("gripper", "wall")
        assert found.depth_m == pytest.approx(PAN_LENGTH_M * 0.1 + DEEPER_M, abs=PAN_LENGTH_M * SAMPLE_RAD)


def test_without_a_check_nothing_is_refused() -> None:
    bench = Bench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(2.0)
    assert bench.executor.counts.rows_refused == 0
