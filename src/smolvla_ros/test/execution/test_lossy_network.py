"""Whatever a network does to requests and chunks, the arm does each row once, in order, without a jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bench import LIMITS, STEP_S, TASK, Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.executor import Mode
from smolvla_ros.execution.overlap import OVERLAPS
from smolvla_ros.execution.timeline import ChunkRejected

REQUEST_TIMEOUT_S = 0.8


@dataclass(frozen=True)
class Fate:
    """What becomes of a request's answer: how long each copy of it takes. No copy: one of the two was lost."""

    delays_s: tuple[float, ...]
    rows: int
    off_rad: float


fates = st.builds(
    Fate,
    st.lists(st.floats(0.0, 2.5), max_size=3).map(tuple),
    st.integers(1, 50),
    st.floats(-0.2, 0.2),
)


class LossyBench(Bench):
    def __init__(self, fates: list[Fate], overlap: str) -> None:
        super().__init__(request_timeout_s=REQUEST_TIMEOUT_S, overlap=overlap)
        self.fates, self.sent_s, self.landed = iter(fates), [], []
        self.executed: list[float] = []
        advance = self.executor.timeline.advance

        def noted(now_s: float) -> int:
            times, _ = self.executor.timeline.rows()
            count = advance(now_s)
            self.executed += times[:count].tolist()
            return count

        self.executor.timeline.advance = noted
        on_chunk = self.executor.on_chunk

        def landing(chunk: ArrivedChunk, now_s: float) -> None:
            try:
                on_chunk(chunk, now_s)
            except ChunkRejected:
                return
            times, _ = self.executor.timeline.rows()
            assert np.all(np.diff(times) > 0.499 * STEP_S)
            assert np.all(np.diff(times) < 1.501 * self.executor.step_s)

        self.executor.on_chunk = landing

    def answer(self, chunk: ArrivedChunk) -> None:
        self.sent_s.append((self.now_s, chunk.request_id))
        fate = next(self.fates, Fate((0.1,), 50, 0.0))
        times = chunk.observation_s + STEP_S * np.arange(fate.rows)
        changed = ArrivedChunk(
            chunk.request_id,
            TASK,
            "lossy",
            chunk.observation_s,
            STEP_S,
            chunk.joint_names,
            self.wave(times) + fate.off_rad,
        )
        self.answers += [(self.now_s + delay_s, changed) for delay_s in fate.delays_s]


@settings(max_examples=60)
@given(st.lists(fates, max_size=12), st.sampled_from(OVERLAPS))
def test_rows_are_executed_once_in_order_and_the_arm_never_jumps(given_fates: list[Fate], overlap: str) -> None:
    bench = LossyBench(given_fates, overlap)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(6.0)
    assert bench.executed == sorted(set(bench.executed))
    for old, new in zip(bench.trajectories, bench.trajectories[1:], strict=False):
        position, velocity = old.sample(new.times_s[0])
        np.testing.assert_allclose(new.positions[0], position, atol=1e-9)
        np.testing.assert_allclose(new.velocities[0], velocity, atol=1e-9)
    for trajectory in bench.trajectories:
        assert np.all(np.diff(trajectory.times_s) > 0)
        assert np.all(trajectory.positions >= LIMITS.lower - 1e-9)
        assert np.all(trajectory.positions <= LIMITS.upper + 1e-9)


@settings(max_examples=60)
@given(st.lists(fates, max_size=12))
def test_at_most_one_request_is_in_flight_and_a_lost_one_is_made_again(given_fates: list[Fate]) -> None:
    bench = LossyBench(given_fates, "latest")
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(14.0)
    answered_s = {
        number: at_s + min(fate.delays_s, default=np.inf)
        for (at_s, number), fate in zip(bench.sent_s, given_fates, strict=False)
    }
    for (before_s, number), (after_s, _) in zip(bench.sent_s, bench.sent_s[1:], strict=False):
        free_s = min(answered_s.get(number, before_s), before_s + REQUEST_TIMEOUT_S)
        assert after_s >= free_s - 1e-9
    assert [number for _, number in bench.sent_s] == list(range(1, len(bench.sent_s) + 1))
    assert len(bench.sent_s) > len(given_fates)
    assert bench.executor.mode == Mode.RUNNING or bench.executor.timing.pace.in_turns
