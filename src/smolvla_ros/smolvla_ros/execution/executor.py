"""The executor: decides, from what it has been told and the clock, what to ask for and what to send to the controller.

    executor.start_task("put the red cube in the blue box", now_s)
    executor.on_joint_state(stamp_s, positions)          # as they come
    executor.on_chunk(chunk, now_s)
    commands = executor.tick(now_s)                      # trajectory to publish, request to publish, or nothing

Starved, paused, at fault or stopped, the arm holds: one trajectory to rest is sent, and nothing after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from smolvla_ros.execution.acceptance import CLOCK_TOLERANCE_S, acceptable_rows, check_task
from smolvla_ros.execution.commanded import CommandedMotion
from smolvla_ros.execution.exchange import ArrivedChunk, Commands, Request, TaskCounts
from smolvla_ros.execution.latency import LatencyWindow
from smolvla_ros.execution.requests import Reason, RequestGate
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.threshold import safe_threshold, starvation_warning
from smolvla_ros.execution.timeline import ChunkRejected, Timeline
from smolvla_ros.execution.trajectory import Trajectory

SHORTEST_INTERVAL_S = 1e-3
# an arm rests that has stayed this close to one place for this long
REST_RAD = 0.02
REST_S = 0.2
# fewer latencies say nothing: a policy's first chunk is often its slowest
ENOUGH_LATENCIES = 5


class Mode(IntEnum):
    """Values of ExecutorState.mode."""

    IDLE = 0
    RUNNING = 1
    STARVED = 2
    PAUSED = 3
    FAULT = 4
    EMERGENCY_STOP = 5


@dataclass
class ChunkExecutor:
    """State: the timeline, what the controller has been told, the task, and the latched stops."""

    limits: MotionLimits
    settings: ExecutorSettings = field(default_factory=ExecutorSettings)

    def __post_init__(self) -> None:
        self.timeline = Timeline(len(self.limits.names), self.settings.overlap_of(self.limits.names))
        self.gate = RequestGate(self.settings.threshold, self.settings.request_timeout_s)
        self.latency = LatencyWindow()
        self.counts = TaskCounts()
        self.motion = CommandedMotion(self.limits)
        self.mode, self.reason, self.warning = Mode.IDLE, "no task", ""
        self.instruction, self.policy = "", ""
        self.horizon, self.step_s = 0, 0.0
        self.paused = self.stopped = False
        self._held_since_s: float | None = None
        self._running = False
        self._task_start_s = self._last_tick_s = 0.0
        self._measured: np.ndarray | None = None
        self._measured_s = -np.inf
        self._asked_from: np.ndarray | None = None
        self._joint_state_fault = self._policy_fault = ""
        self._blind = False
        self._rest: np.ndarray | None = None
        self._rest_since_s = 0.0
        self._new_rows = self._dropped = False

    # what the operator asks for

    def start_task(self, instruction: str, now_s: float, flush: bool = True) -> None:
        """Begins a task, also while another runs; `flush` drops what is queued of the one before."""
        self.instruction, self._running = instruction, True
        self.counts = TaskCounts()
        self.horizon = 0
        self._task_start_s = self._last_tick_s = now_s
        self._policy_fault, self.warning, self._held_since_s = "", "", None
        self.gate.restart()
        if flush:
            self._drop_rows()

    def end_task(self) -> None:
        """The arm holds; no chunk is asked for any more."""
        self._running = False
        self._drop_rows()

    def change_instruction(self, instruction: str, flush: bool) -> None:
        """From the next request on the policy is told the new text; `flush` holds until its first chunk."""
        self.instruction = instruction
        self.gate.ask_now(Reason.INSTRUCTION)
        if flush:
            self._drop_rows()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """Goes on where the arm is; what was queued before the pause is for times that are past."""
        self.paused = False
        self._ask_afresh()

    def emergency_stop(self) -> None:
        """Also stops what others have sent to the controller."""
        self.stopped = True
        self.motion.holding = False

    def reset_emergency_stop(self) -> None:
        self.stopped = False
        self._ask_afresh()

    # what the graph tells

    def on_joint_state(self, stamp_s: float, positions: np.ndarray) -> None:
        """Measured positions (joints,) in the limits' order."""
        if not np.isfinite(positions).all():
            self.on_unusable_joint_state("joint states: expected numbers, found a position that is none")
            return
        self._joint_state_fault = ""
        self._measured, self._measured_s = positions, stamp_s
        if self._rest is None or np.abs(positions - self._rest).max() > REST_RAD:
            self._rest, self._rest_since_s = positions, stamp_s
        if self._joint_states_fresh(self._last_tick_s):
            self.motion.observe(stamp_s, positions)

    def on_unusable_joint_state(self, why: str) -> None:
        """Kept for the reason of a fault, should no usable one come in time."""
        self._joint_state_fault = why

    def on_refusal(self, request_id: int, message: str, now_s: float) -> bool:
        """The policy answered without rows. False where the request no longer counts."""
        if request_id != self.gate.in_flight:
            return False
        self.gate.answered(request_id, now_s, with_rows=False)
        self._policy_fault = message
        return True

    def on_chunk(self, chunk: ArrivedChunk, now_s: float) -> None:
        """Puts a chunk on the timeline. Raises ChunkRejected, counted, where it cannot be executed."""
        try:
            late = self._land(chunk, now_s)
        except ChunkRejected as rejected:
            self.gate.answered(chunk.request_id, now_s, with_rows=False)
            self.counts.chunks_refused += 1
            self.counts.rows_refused += len(chunk.positions)
            self._policy_fault = f"chunk refused: {rejected}"
            raise
        self.gate.answered(chunk.request_id, now_s, with_rows=True)
        self.latency.add(now_s - chunk.observation_s)
        self.counts.chunks_received += 1
        self.counts.rows_late += late
        self.horizon, self.step_s, self.policy = len(chunk.positions), chunk.step_s, chunk.policy
        self._policy_fault, self._new_rows = "", True
        self._judge_latency()

    def tick(self, now_s: float) -> Commands:
        """Moves on to now and says what to publish. Call it at a steady rate, faster than the chunks' rows."""
        since_s = now_s - self._last_tick_s
        if since_s < -CLOCK_TOLERANCE_S:
            self._follow_the_clock_back(since_s)
        self._last_tick_s = now_s
        executed = self.timeline.advance(now_s)
        self._look(now_s)
        self._update_mode(now_s)
        if not self._may_move:
            self._drop_rows()
            return Commands(self._hold(now_s))
        self.counts.rows_executed += executed
        if not len(self.timeline) and self.horizon:
            self.counts.starved_s += max(0.0, since_s)
        return Commands(self._follow(now_s), self._request(now_s))

    @property
    def task_time_s(self) -> float:
        return self._last_tick_s - self._task_start_s if self._running else 0.0

    @property
    def held_s(self) -> float:
        """How long a running task has been starved or at fault; 0 while it runs or is paused."""
        return 0.0 if self._held_since_s is None else self._last_tick_s - self._held_since_s

    @property
    def in_trouble(self) -> bool:
        """Held by something that an operator should look at."""
        return self.mode in (Mode.FAULT, Mode.EMERGENCY_STOP) or (
            self.mode == Mode.STARVED and self.gate.unanswered > 0
        )

    # inside

    @property
    def _may_move(self) -> bool:
        return self._running and not (self.stopped or self.paused or self._blind)

    def _joint_states_fresh(self, now_s: float) -> bool:
        return abs(now_s - self._measured_s) <= self.settings.joint_state_timeout_s

    def _drop_rows(self) -> None:
        """The controller still follows what was sent; a hold has to follow."""
        self.timeline.flush()
        self._new_rows, self._dropped = False, True

    def _ask_afresh(self) -> None:
        self._drop_rows()
        self._policy_fault = ""
        self.gate.ask_now(Reason.STARVED if self.horizon else Reason.START)

    def _follow_the_clock_back(self, since_s: float) -> None:
        """The clock was set back: all times known are of another clock, the arm starts anew from where it is."""
        self._task_start_s += since_s
        self._held_since_s = None
        self.motion.forget()
        self._ask_afresh()

    def _look(self, now_s: float) -> None:
        """Whether the joint states are there. When they are back, the arm may be elsewhere or still on its way."""
        if not self._joint_states_fresh(now_s):
            self._blind, self._rest = True, None
        elif self._blind and self._measured is not None and self._measured_s - self._rest_since_s >= REST_S:
            self._blind = False
            self.motion.forget_unless_followed(now_s, self._measured)
            self._ask_afresh()

    def _update_mode(self, now_s: float) -> None:
        if self.stopped:
            mode, reason = Mode.EMERGENCY_STOP, "emergency stop: reset it by reset_emergency_stop"
        elif not self._running:
            mode, reason = Mode.IDLE, "no task"
        elif self.paused:
            mode, reason = Mode.PAUSED, "paused: go on by resume"
        elif self._blind:
            mode, reason = Mode.FAULT, self._blindness(now_s)
        elif len(self.timeline):
            mode, reason = Mode.RUNNING, ""
        elif self.gate.unanswered:
            limit = f"{self.settings.request_timeout_s:g} s"
            mode, reason = Mode.STARVED, f"the policy gave no answer within {limit}: is its node running?"
        elif self._policy_fault:
            mode, reason = Mode.FAULT, self._policy_fault
        elif self.horizon:
            mode, reason = Mode.STARVED, "no row is left: waiting for the policy"
        else:
            mode, reason = Mode.STARVED, "waiting for the first chunk"
        if mode not in (Mode.FAULT, Mode.STARVED):
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = now_s
        self.mode, self.reason = mode, reason

    def _blindness(self, now_s: float) -> str:
        if self._joint_state_fault:
            return self._joint_state_fault
        if self._measured is None:
            return "no joint states have come: is the driver running?"
        if self._joint_states_fresh(now_s):
            return "waiting until the arm rests"
        expected = f"expected one of the last {self.settings.joint_state_timeout_s:g} s"
        age_s = now_s - self._measured_s
        return f"joint states are stale: {expected}, the newest is {age_s:.2f} s old: is the driver running?"

    def _land(self, chunk: ArrivedChunk, now_s: float) -> int:
        """The number of rows that came too late."""
        if self._running and self._blind:
            raise ChunkRejected(self._blindness(now_s))
        if not self._may_move or self._measured is None:
            raise ChunkRejected("the arm is held, or has no task")
        check_task(chunk, self.instruction, self.gate.first_id)
        positions = acceptable_rows(chunk, now_s, self._measured, self.limits, self.settings)
        return self.timeline.land(chunk.observation_s, chunk.step_s, positions, now_s).late

    def _judge_latency(self) -> None:
        """Whether chunks come soon enough that the arm need not stop between them, and when to ask for that."""
        if len(self.latency) < ENOUGH_LATENCIES:
            return
        timing = self._expected_latency_s, self.horizon, self.step_s
        if self.settings.auto_threshold:
            self.gate.threshold = safe_threshold(*timing)
        self.warning = starvation_warning(*timing, self.gate.threshold)

    @property
    def _expected_latency_s(self) -> float:
        return self.latency.quantile_s(self.settings.latency_quantile)

    def _follow(self, now_s: float) -> Trajectory | None:
        """The trajectory through all rows to come, once after rows have landed; a hold where they were dropped."""
        if self._measured is None or not len(self.timeline):
            return self._hold(now_s) if self._dropped else None
        if not self._new_rows:
            return None
        self._new_rows = self._dropped = False
        times, rows = self.timeline.rows()
        # a row closer than half a step would ask for the whole change at once: the ones after it do
        far = times - now_s > 0.5 * self.step_s
        far[-1], times[-1] = True, max(times[-1], now_s + SHORTEST_INTERVAL_S)
        motion = self.motion.follow(now_s, self._measured, times[far], rows[far])
        rows[far] = motion.rows
        self.counts.rows_clamped += motion.changed
        self.timeline.replace(rows)
        return motion.trajectory

    def _hold(self, now_s: float) -> Trajectory | None:
        """A trajectory to rest, once."""
        self._dropped = False
        if self.motion.holding or self._measured is None:
            return None
        return self.motion.hold(now_s, self._measured)

    def _request(self, now_s: float) -> Request | None:
        due = self.gate.next_request(now_s, len(self.timeline), self.horizon, self._as_last_asked())
        if due is None:
            return None
        self._asked_from = self._measured
        expected_s = self._expected_latency_s
        committed = self.timeline.rows_every(self.step_s)
        return Request(
            id=due[0],
            reason=due[1],
            instruction=self.instruction,
            reset=not self.horizon,  # until a chunk has come: the first request may have been lost
            queued_rows=len(self.timeline),
            delay_rows=int(np.ceil(expected_s / self.step_s)) if self.step_s else 0,
            committed_start_s=self.timeline.start_s if len(committed) else now_s,
            step_s=self.step_s,
            committed=committed,
            expected_latency_s=expected_s,
        )

    def _as_last_asked(self) -> bool:
        """Whether the arm is where it was at the last request, so that the answer would be the same."""
        if self._asked_from is None or self._measured is None:
            return False
        return bool(np.all(np.abs(self._measured - self._asked_from) < self.settings.similarity_rad))
