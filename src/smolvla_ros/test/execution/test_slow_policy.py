"""A policy of any slowness moves the arm, forwards and without a jump; in synchronous mode chunk by chunk."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from bench import HOME, STEP_S, TASK, TICK_S, Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.requests import Reason
from smolvla_ros.execution.settings import ExecutorSettings, ModeError
from smolvla_ros.execution.timeline import ChunkRejected

SPAN_S = 50 * STEP_S
SPEED_RAD_S = 0.02


class Looking(Bench):
    """A policy that knows no clock: it goes on at an even speed from where it sees the arm."""

    latencies_s: tuple[float, ...] = ()

    def chunk(self, observation_s: float, request_id: int = 0, rows: int = 50) -> ArrivedChunk:
        chunk = super().chunk(observation_s, request_id, rows)
        chunk.positions[:] = self.commanded() + SPEED_RAD_S * STEP_S * np.arange(rows)[:, None]
        return chunk

    def answer(self, chunk: ArrivedChunk) -> None:
        if self.latencies_s:
            self.latency_s = self.latencies_s[chunk.request_id % len(self.latencies_s)]
        super().answer(chunk)

    def run(self, duration_s: float) -> None:
        """A chunk that comes too late for all of its rows is refused; what matters is that the arm goes on."""
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-6:
            with suppress(ChunkRejected):
                super().run(end_s - self.now_s)

    def moved_by(self) -> float:
        """Of the way at the policy's own pace, from the start on."""
        return float((self.commanded() - HOME)[0] / SPEED_RAD_S)


def started(latency_s: float, **options: float | str | bool) -> Looking:
    bench = Looking(latency_s, **options)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    return bench


def test_a_synchronous_chunk_is_asked_for_when_the_one_before_is_done_and_executed_from_its_arrival_on() -> None:
    bench = started(1.0, mode="sync")
    bench.run(5 * (SPAN_S + 1.1))
    assert [request.reason for request in bench.requests] == [Reason.START] + [Reason.STARVED] * 5
    assert all(len(request.committed) == request.delay_rows == 0 for request in bench.requests)
    assert bench.executor.counts.rows_late == 0
    assert bench.executor.counts.rows_executed == pytest.approx(5 * 50, abs=5)
    assert bench.executor.counts.starved_s == pytest.approx(4.5, abs=0.6)
    assert bench.moved_by() == pytest.approx(5 * SPAN_S, rel=0.05)


def test_a_synchronous_chunk_is_executed_as_far_as_n_action_steps() -> None:
    bench = started(0.2, mode="sync", n_action_steps=10)
    bench.run(10.0)
    assert bench.executor.counts.rows_executed == pytest.approx(10 * len(bench.requests), abs=10)
    assert len(bench.requests) == pytest.approx(10.0 / (10 * STEP_S + 0.25), abs=3)


def test_a_mode_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ModeError, match="expected one of async, sync, found 'both'"):
        ExecutorSettings(mode="both")


@pytest.mark.parametrize(("latency_s", "share"), [(0.3, 1.0), (1.0, 0.75), (1.4, 0.53), (1.7, 0.48), (4.0, 0.29)])
def test_the_slower_the_policy_the_slower_the_arm_but_it_moves(latency_s: float, share: float) -> None:
    bench = started(latency_s, request_timeout_s=10.0)
    bench.run(20.0)
    before = bench.moved_by()
    bench.run(40.0)
    assert bench.moved_by() - before == pytest.approx(40.0 * share, rel=0.08)
    assert bench.executor.counts.chunks_refused == 0


@pytest.mark.parametrize("latency_s", [0.1, 0.5, 0.75, 1.0, 1.4])
def test_the_arm_is_not_starved_where_a_threshold_or_a_slower_pace_can_help(latency_s: float) -> None:
    bench = started(latency_s)
    bench.run(10.0)
    starved_s = bench.executor.counts.starved_s
    bench.run(20.0)
    assert bench.executor.counts.starved_s == starved_s
    assert ("times slower" in bench.executor.warning) == (latency_s > SPAN_S / 2)


def test_without_a_slower_pace_the_arm_waits_for_each_chunk() -> None:
    bench = started(1.0, max_slowdown=1.0)
    bench.run(20.0)
    assert "the arm holds while the policy computes" in bench.executor.warning
    assert bench.executor.timing.pace.slowdown == 1.0
    assert bench.moved_by() == pytest.approx(20.0 * SPAN_S / (SPAN_S + 1.0), rel=0.1)


def test_a_policy_that_becomes_quick_again_is_executed_at_its_own_pace_again() -> None:
    bench = started(1.2)
    bench.run(20.0)
    assert bench.executor.timing.pace.slowdown > 1.4
    bench.latency_s = 0.1
    bench.run(60.0)
    assert bench.executor.timing.pace.slowdown == 1.0
    assert bench.executor.warning == ""


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 4.5), min_size=1, max_size=6).map(tuple), st.sampled_from(["async", "sync"]))
def test_whatever_the_latencies_the_arm_goes_on_and_never_back_or_in_a_jump(
    latencies_s: tuple[float, ...], mode: str
) -> None:
    bench = Looking(mode=mode)
    bench.latencies_s = latencies_s
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    for _ in range(3):
        before = bench.moved_by()
        bench.run(15.0)
        assert bench.moved_by() > before + 1.0
    for old, new in zip(bench.trajectories, bench.trajectories[1:], strict=False):
        position, velocity = old.sample(new.times_s[0])
        np.testing.assert_allclose(new.positions[0], position, atol=1e-9)
        np.testing.assert_allclose(new.velocities[0], velocity, atol=1e-9)
        assert np.all(np.diff(new.times_s) > 0)


class Answering(Bench):
    """A policy whose chunk begins to move after some rows."""

    still_rows = 0

    def chunk(self, observation_s: float, request_id: int = 0, rows: int = 50) -> ArrivedChunk:
        chunk = super().chunk(observation_s, request_id, rows)
        moved = np.maximum(0, np.arange(rows) - self.still_rows)
        chunk.positions[:] = self.commanded() + 0.01 * moved[:, None] * np.array([1, 0, 0, 0, 0, 0])
        return chunk


def resting(latency_s: float) -> Answering:
    """The policy has had the arm stay for a chunk, and there are rows of that left."""
    bench = Answering(latency_s)
    bench.still_rows = 50
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(2 * latency_s + 0.1)
    return bench


def test_motion_that_an_arm_told_to_stay_has_missed_is_done_from_its_beginning() -> None:
    bench = resting(0.5)
    bench.still_rows = 0
    assert bench.moved(3.0) > 0.3
    assert bench.executor.counts.rows_clamped == 0
    assert max(np.abs(trajectory.velocities).max() for trajectory in bench.trajectories) < 2 * 0.01 / STEP_S


def test_a_policy_that_wants_the_arm_to_stay_for_a_while_is_obeyed_no_longer_than_that() -> None:
    bench = resting(0.5)
    bench.still_rows, asked = 20, len(bench.requests)
    while len(bench.requests) == asked:
        bench.run(TICK_S)
    looked_s = bench.now_s
    while bench.moved(TICK_S) < 1e-3:
        assert bench.now_s - looked_s < 1.3 * bench.still_rows * STEP_S
