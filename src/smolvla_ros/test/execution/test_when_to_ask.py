"""The executor asks as early as the measured latency demands, and not when there is nothing new to see."""

from __future__ import annotations

import numpy as np
import pytest
from bench import TASK, Bench
from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.requests import Reason


class Jittery(Bench):
    """Answers after a latency drawn evenly from `latencies_s`."""

    latencies_s = (0.1, 0.1)

    def answer(self, chunk: ArrivedChunk) -> None:
        self.latency_s = float(np.random.default_rng(chunk.request_id).uniform(*self.latencies_s))
        super().answer(chunk)


def running(low_s: float, high_s: float, **settings: float | bool) -> Jittery:
    bench = Jittery(**settings)
    bench.latencies_s = (low_s, high_s)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(8.0)
    return bench


@pytest.mark.parametrize(("low_s", "high_s"), [(0.02, 0.03), (0.2, 0.3), (0.5, 0.6), (0.72, 0.78)])
def test_the_queue_never_runs_dry_while_any_threshold_can_help(low_s: float, high_s: float) -> None:
    bench = running(low_s, high_s, auto_threshold=True)
    bench.run(60.0)
    assert bench.executor.counts.starved_s == 0
    assert bench.executor.gate.threshold == pytest.approx(1.2 * high_s / (50 / 30) + 1 / 50, abs=0.06)
    assert bench.executor.warning == ""


def test_the_lowest_threshold_asks_for_fewer_chunks() -> None:
    often, seldom = running(0.1, 0.15), running(0.1, 0.15, auto_threshold=True)
    for bench in (often, seldom):
        bench.requests.clear()
        bench.run(20.0)
    assert len(seldom.requests) < 0.5 * len(often.requests)


def test_a_latency_that_no_threshold_can_hide_is_told_with_its_limit_and_what_is_done_about_it() -> None:
    bench = running(1.0, 1.1, auto_threshold=True)
    assert "times slower, so that the arm need not stop" in bench.executor.warning
    assert bench.executor.warning.startswith("latency too long: expected at most 0.83 s")


def test_a_threshold_that_is_too_low_is_told_with_the_one_that_would_do() -> None:
    bench = running(0.5, 0.6, threshold=0.1)
    assert bench.executor.warning.startswith("threshold too low: expected at least 0.3")


def test_a_slow_first_chunk_raises_the_threshold_only_for_a_while() -> None:
    bench = Jittery(auto_threshold=True)
    bench.latencies_s = (1.4, 1.4)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(1.5)
    bench.latencies_s = (0.1, 0.12)
    bench.run(3.5)
    assert bench.executor.gate.threshold > 0.5
    bench.run(25.0)
    assert bench.executor.gate.threshold < 0.2
    assert bench.executor.warning == ""


class Still(Bench):
    """A policy that leaves the arm where it is."""

    def wave(self, times: np.ndarray) -> np.ndarray:
        return super().wave(np.full_like(times, 100.0))


def test_a_resting_arm_asks_only_when_the_queue_is_dry() -> None:
    counts = {}
    for tolerance_rad in (0.0, 0.01):
        bench = Still(similarity_rad=tolerance_rad)
        bench.run(0.1)
        bench.executor.start_task(TASK, bench.now_s)
        bench.run(12.0)
        counts[tolerance_rad] = [request.reason for request in bench.requests]
    assert set(counts[0.0][1:]) == {Reason.THRESHOLD}
    assert set(counts[0.01][1:]) == {Reason.STARVED}
    assert 5 < len(counts[0.01]) < len(counts[0.0]) / 2


def test_one_joint_that_moves_is_something_new() -> None:
    """The tolerance is each joint's, in radians: a norm over joints in raw units makes everything look alike."""
    bench = Bench(similarity_rad=0.01)
    bench.wave = lambda times: (
        Bench.wave(bench, times) * np.array([1, 0, 0, 0, 0, 0]) + np.array([0, 0.6, -0.6, 0.5, 0, 0])
    )
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(6.0)
    assert {request.reason for request in bench.requests[1:]} == {Reason.THRESHOLD}
