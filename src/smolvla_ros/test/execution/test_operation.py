"""Whatever operators, clocks, networks and others do, in whatever order: the arm holds, says why, and goes on."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from bench import HOME, LIMITS, TASK, TICK_S, Bench
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smolvla_ros.execution.executor import Mode
from smolvla_ros.execution.timeline import ChunkRejected

EVENTS = (
    "pause",
    "resume",
    "emergency_stop",
    "reset_emergency_stop",
    "joint states stop",
    "joint states come",
    "policy dies",
    "policy lives",
    "nan chunk",
    "foreign joints",
    "old chunk",
    "clock forward",
    "clock back",
    "foreign trajectory",
    "rival comes",
    "rival goes",
    "other words",
)


class OperatedBench(Bench):
    """State besides: what has been done to the executor and not undone."""

    def happen(self, event: str) -> None:
        core = self.executor
        if event in ("pause", "resume", "emergency_stop", "reset_emergency_stop"):
            getattr(core, event)()
        elif event.startswith("joint states"):
            self.joint_states_flow = event.endswith("come")
        elif event.startswith("policy"):
            self.policy_alive = event.endswith("lives")
        elif event.startswith("clock"):
            self.set_clock(self.now_s + (40.0 if event.endswith("forward") else -40.0))
        elif event == "foreign trajectory":
            core.on_foreign_trajectory()
        elif event.startswith("rival"):
            core.holds.rivals = "/executor_2" if event.endswith("comes") else ""
        elif event == "other words":
            core.change_instruction(TASK, flush=False)
        else:
            self.land_nonsense(event)

    def set_clock(self, now_s: float) -> None:
        """The arm stays where it is; what was sent is for another time."""
        self.sag = self.commanded() + self.sag - (self.trajectories[-1].positions[-1] if self.trajectories else HOME)
        if self.trajectories:
            last = self.trajectories[-1].positions[-1:]
            self.trajectories.append(
                replace(
                    self.trajectories[-1], times_s=np.array([now_s]), positions=last, velocities=np.zeros_like(last)
                )
            )
        self.now_s = now_s
        self.answers.clear()

    def land_nonsense(self, event: str) -> None:
        chunk = self.chunk(self.now_s)
        broken = {
            "nan chunk": replace(chunk, positions=np.full((50, 6), np.nan)),
            "foreign joints": replace(chunk, joint_names=("a", "b", "c", "d", "e", "f")),
            "old chunk": replace(chunk, observation_s=self.now_s - 60.0),
        }[event]
        with pytest.raises(ChunkRejected):
            self.executor.on_chunk(broken, self.now_s)

    def run(self, duration_s: float) -> None:
        """As before, but an answer may be refused."""
        on_chunk = self.executor.on_chunk

        def landing(chunk, now_s: float) -> None:
            with contextlib.suppress(ChunkRejected):
                on_chunk(chunk, now_s)

        self.executor.on_chunk = landing
        try:
            super().run(duration_s)
        finally:
            self.executor.on_chunk = on_chunk


AT_THE_GRIPPERS_LIMIT = [
    ("foreign joints", 1.4576),
    ("clock back", 0.412),
    ("clock back", 0.3333),
    ("clock back", 0.3108),
    ("policy dies", 0.02),
    ("policy lives", 1.23),
    ("pause", 0.7),
    ("clock back", 0.3333),
    ("pause", 0.838),
    ("emergency_stop", 0.975),
]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.02, 1.5)), max_size=12))
@example(AT_THE_GRIPPERS_LIMIT)
def test_held_means_held_and_every_cause_that_goes_lets_the_arm_go_on(happenings: list[tuple[str, float]]) -> None:
    bench = OperatedBench(request_timeout_s=0.5)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(1.0)
    for event, lasts_s in happenings:
        bench.happen(event)
        requests = len(bench.requests)
        bench.run(lasts_s)
        sent = bench.trajectories[-1] if bench.trajectories else None
        if bench.executor.holds.mode(bench.executor.joints, bench.now_s) is not None:
            assert bench.executor.mode in (Mode.PAUSED, Mode.EMERGENCY_STOP, Mode.FAULT)
            assert bench.executor.reason
        if bench.executor.holds.stopped:
            assert bench.executor.mode == Mode.EMERGENCY_STOP
            assert event != "emergency_stop" or len(bench.requests) == requests
        if sent is not None:
            assert np.isfinite(sent.positions).all()
            start = sent.positions[0]  # where an arm is that somebody else took beyond a limit
            assert np.all(sent.positions >= np.minimum(LIMITS.lower, start) - 1e-9)
            assert np.all(sent.positions <= np.maximum(LIMITS.upper, start) + 1e-9)
            assert np.all((sent.positions[-1] >= LIMITS.lower) & (sent.positions[-1] <= LIMITS.upper))
            assert np.all(sent.velocities[-1] == 0)
    for cure in ("reset_emergency_stop", "resume", "joint states come", "policy lives", "rival goes"):
        bench.happen(cure)
    bench.sag[:] = 0
    bench.run(12.0)
    assert bench.executor.mode == Mode.RUNNING, bench.executor.reason


@pytest.mark.parametrize("stop", ["pause", "emergency_stop"])
def test_within_one_period_of_a_stop_the_last_word_is_a_hold(stop: str) -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(2.0)
    bench.happen(stop)
    bench.answers.clear()
    bench.run(TICK_S)
    hold = bench.trajectories[-1]
    assert hold.end_s - bench.now_s < 0.2
    for _ in range(5):
        bench.executor.start_task("another", bench.now_s)
        bench.run(TICK_S)
    if stop == "emergency_stop":
        assert bench.trajectories[-1] is hold


def test_a_foreign_trajectory_against_the_emergency_stop_is_answered_with_a_hold_each_time() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.emergency_stop()
    bench.run(0.2)
    for number in range(1, 4):
        count = len(bench.trajectories)
        bench.executor.on_foreign_trajectory()
        bench.run(TICK_S)
        assert len(bench.trajectories) == count + 1
        assert bench.executor.foreign_trajectories == number


def test_without_a_task_others_may_move_the_arm() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.on_foreign_trajectory()
    bench.run(0.2)
    assert not bench.trajectories
    assert bench.executor.foreign_trajectories == 0


def test_a_clock_set_forward_is_neither_starved_nor_task_time() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(2.0)
    executed = bench.executor.counts.rows_executed
    bench.set_clock(bench.now_s + 3600.0)
    bench.run(3.0)
    assert bench.executor.clock_jumps == 1
    assert bench.executor.counts.starved_s < 1.0
    assert bench.executor.task_time_s == pytest.approx(5.0, abs=0.1)
    assert bench.executor.counts.rows_executed < executed + 50 + 3 * 30
    assert bench.executor.mode == Mode.RUNNING


def test_two_masters_are_a_fault_that_names_the_other() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(1.0)
    bench.happen("rival comes")
    bench.run(0.2)
    assert bench.executor.mode == Mode.FAULT
    assert "found /executor_2: stop one" in bench.executor.reason
    bench.happen("rival goes")
    bench.run(1.0)
    assert bench.executor.mode == Mode.RUNNING


def test_a_frozen_camera_is_refused_by_name() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    stamps = {"image top": bench.now_s - 1.5, "image wrist": bench.now_s, "joint states": bench.now_s}
    told = "image top: expected at most 1 s older than the newest input, found 1.50 s"
    with pytest.raises(ChunkRejected, match=told):
        bench.executor.on_chunk(replace(bench.chunk(bench.now_s), input_stamps_s=stamps), bench.now_s)
    assert bench.executor.counts.refusals == {"image top": 1}


def test_settings_change_while_a_task_runs() -> None:
    bench = OperatedBench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(1.0)
    bench.executor.retune(replace(bench.executor.settings, threshold=0.2, max_jump_rad=0.01))
    count = len(bench.requests)
    bench.run(4.0)
    assert all(request.queued_rows <= 10 for request in bench.requests[count + 1 :])
