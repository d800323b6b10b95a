"""The executor: decides, from what it has been told and the clock, what to ask for and what to send to the controller.

    executor.start_task("put the red cube in the blue box", now_s)
    executor.on_joint_state(stamp_s, positions)          # as they come
    executor.on_chunk(chunk, now_s)
    commands = executor.tick(now_s)                      # trajectory to publish, request to publish, or nothing

Starved, paused, at fault or stopped, the arm holds: one trajectory to rest is sent, and nothing after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from smolvla_ros.execution.latency import LatencyWindow
from smolvla_ros.execution.requests import Reason, RequestGate
from smolvla_ros.execution.safety import MotionLimits, check_jump, check_rows, joint_columns, limit_motion
from smolvla_ros.execution.timeline import ChunkRejected, Timeline
from smolvla_ros.execution.trajectory import Trajectory, stop_from, through_rows

# the arm may hang this far from its goal under load; farther off, a new start begins where the arm is
TRACKING_TOLERANCE_RAD = 0.1
CLOCK_TOLERANCE_S = 0.1


class Mode(IntEnum):
    """Values of ExecutorState.mode."""

    IDLE = 0
    RUNNING = 1
    STARVED = 2
    PAUSED = 3
    FAULT = 4
    EMERGENCY_STOP = 5


@dataclass(frozen=True)
class ExecutorSettings:
    """Times in s. max_jump_rad: how far a chunk's first row may lie from where the arm is."""

    threshold: float = 0.7
    request_timeout_s: float = 5.0
    joint_state_timeout_s: float = 0.3
    observation_timeout_s: float = 5.0
    max_jump_rad: float = 1.0
    latency_quantile: float = 0.9


@dataclass(frozen=True)
class ArrivedChunk:
    """A chunk as it came: positions (rows, columns of joint_names) rad, row k for observation_s + k * step_s."""

    request_id: int
    instruction: str
    policy: str
    observation_s: float
    step_s: float
    joint_names: Sequence[str]
    positions: np.ndarray


@dataclass(frozen=True)
class Request:
    """What a ChunkRequest carries. committed (rows, joints): row j for committed_start_s + j * step_s."""

    id: int
    reason: Reason
    instruction: str
    reset: bool
    queued_rows: int
    delay_rows: int
    committed_start_s: float
    step_s: float
    committed: np.ndarray
    expected_latency_s: float


@dataclass(frozen=True)
class Commands:
    """What to publish after a tick."""

    trajectory: Trajectory | None = None
    request: Request | None = None


@dataclass
class TaskCounts:
    """Since the task began."""

    chunks_received: int = 0
    chunks_refused: int = 0
    rows_executed: int = 0
    rows_late: int = 0
    rows_clamped: int = 0
    rows_refused: int = 0
    starved_s: float = 0.0


@dataclass
class ChunkExecutor:
    """State: the timeline, the trajectory that the controller follows, the task, and the latched stops."""

    limits: MotionLimits
    settings: ExecutorSettings = field(default_factory=ExecutorSettings)

    def __post_init__(self) -> None:
        self.timeline = Timeline(len(self.limits.names))
        self.gate = RequestGate(self.settings.threshold, self.settings.request_timeout_s)
        self.latency = LatencyWindow()
        self.counts = TaskCounts()
        self.mode, self.reason = Mode.IDLE, "no task"
        self.instruction, self.policy = "", ""
        self.horizon, self.step_s = 0, 0.0
        self.paused = self.stopped = False
        self.fault_since_s: float | None = None
        self._running = False
        self._task_start_s = self._last_tick_s = 0.0
        self._measured: np.ndarray | None = None
        self._measured_s = -np.inf
        self._trajectory: Trajectory | None = None
        self._holding = True
        self._new_rows = False
        self._trouble = ""

    # what the operator asks for

    def start_task(self, instruction: str, now_s: float, flush: bool = True) -> None:
        """Begins a task; `flush` drops what is queued of the one before."""
        self.instruction, self._running = instruction, True
        self.counts = TaskCounts()
        self.horizon = 0
        self._task_start_s = self._last_tick_s = now_s
        self._trouble, self.fault_since_s = "", None
        self.gate.restart()
        if flush:
            self.timeline.flush()

    def end_task(self) -> None:
        """The arm holds; no chunk is asked for any more."""
        self._running = False
        self.timeline.flush()

    def change_instruction(self, instruction: str, flush: bool) -> None:
        """From the next request on the policy is told the new text; `flush` holds until its first chunk."""
        self.instruction = instruction
        self.gate.ask_now(Reason.INSTRUCTION)
        if flush:
            self.timeline.flush()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """Goes on where the arm is; what was queued before the pause is for times that are past."""
        self.paused = False
        self._ask_afresh()

    def emergency_stop(self) -> None:
        self.stopped = True

    def reset_emergency_stop(self) -> None:
        self.stopped = False
        self._ask_afresh()

    # what the graph tells

    def on_joint_state(self, stamp_s: float, positions: np.ndarray) -> None:
        """Measured positions (joints,) in the limits' order."""
        if np.isfinite(positions).all():
            self._measured, self._measured_s = positions, stamp_s

    def on_refusal(self, request_id: int, message: str, now_s: float) -> None:
        """The policy answered without rows."""
        self.gate.answered(request_id, now_s, with_rows=False)
        self._trouble = message

    def on_chunk(self, chunk: ArrivedChunk, now_s: float) -> None:
        """Puts a chunk on the timeline. Raises ChunkRejected, counted, where it cannot be executed."""
        try:
            landed = self._land(chunk, now_s)
        except ChunkRejected as rejected:
            self.gate.answered(chunk.request_id, now_s, with_rows=False)
            self.counts.chunks_refused += 1
            self.counts.rows_refused += len(chunk.positions)
            self._trouble = f"chunk refused: {rejected}"
            raise
        self.gate.answered(chunk.request_id, now_s, with_rows=True)
        self.latency.add(now_s - chunk.observation_s)
        self.counts.chunks_received += 1
        self.counts.rows_late += landed
        self.horizon, self.step_s, self.policy = len(chunk.positions), chunk.step_s, chunk.policy
        self._trouble, self._new_rows = "", True

    def tick(self, now_s: float) -> Commands:
        """Moves on to now and says what to publish. Call it at a steady rate, faster than the chunks' rows."""
        since_s, self._last_tick_s = max(0.0, now_s - self._last_tick_s), now_s
        executed = self.timeline.advance(now_s)
        self._update_mode(now_s)
        if self.mode in (Mode.RUNNING, Mode.STARVED):
            self.counts.rows_executed += executed
            if self.mode == Mode.STARVED and self.horizon:
                self.counts.starved_s += since_s
            return Commands(self._follow(now_s), self._request(now_s))
        self.timeline.flush()
        return Commands(self._hold(now_s))

    # inside

    @property
    def task_time_s(self) -> float:
        return self._last_tick_s - self._task_start_s if self._running else 0.0

    def state_in_motion(self, now_s: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Position and velocity that the controller has been told to have now; None before any joint state."""
        if self._measured is None:
            return None
        if self._trajectory is not None:
            position, velocity = self._trajectory.sample(now_s)
            if not self._holding or np.abs(position - self._measured).max() < TRACKING_TOLERANCE_RAD:
                return position, velocity
        return self._measured, np.zeros_like(self._measured)

    def _ask_afresh(self) -> None:
        self.timeline.flush()
        self.gate.ask_now(Reason.STARVED if self.horizon else Reason.START)

    def _update_mode(self, now_s: float) -> None:
        age_s = now_s - self._measured_s
        if self.stopped:
            self._enter(Mode.EMERGENCY_STOP, "emergency stop: reset it by reset_emergency_stop", now_s)
        elif not self._running:
            self._enter(Mode.IDLE, "no task", now_s)
        elif self.paused:
            self._enter(Mode.PAUSED, "paused: go on by resume", now_s)
        elif self._measured is None:
            self._enter(Mode.FAULT, "no joint states have come: is the driver running?", now_s)
        elif abs(age_s) > self.settings.joint_state_timeout_s:
            expected = f"expected one of the last {self.settings.joint_state_timeout_s:g} s"
            self._enter(Mode.FAULT, f"joint states are stale: {expected}, the newest is {age_s:.2f} s old", now_s)
        elif len(self.timeline):
            self._enter(Mode.RUNNING, "", now_s)
        else:
            waiting = "waiting for the first chunk" if not self.horizon else "no row is left: waiting for the policy"
            self._enter(Mode.STARVED, self._trouble or waiting, now_s)

    def _enter(self, mode: Mode, reason: str, now_s: float) -> None:
        if self.mode == Mode.FAULT and mode in (Mode.RUNNING, Mode.STARVED):
            self._ask_afresh()
            mode = Mode.STARVED
        waits = mode in (Mode.FAULT, Mode.STARVED)
        self.fault_since_s = (now_s if self.fault_since_s is None else self.fault_since_s) if waits else None
        self.mode, self.reason = mode, reason

    def _land(self, chunk: ArrivedChunk, now_s: float) -> int:
        if not self._running or self.stopped or self.paused:
            raise ChunkRejected("no task is running")
        if chunk.instruction != self.instruction:
            raise ChunkRejected(f"instruction: expected '{self.instruction}', found '{chunk.instruction}'")
        if 0 < chunk.request_id < self.gate.first_id:
            raise ChunkRejected(f"it answers request {chunk.request_id} of the task before")
        columns = joint_columns(self.limits.names, chunk.joint_names)
        check_rows(chunk.positions, chunk.step_s, self.limits)
        age_s = now_s - chunk.observation_s
        if age_s < -CLOCK_TOLERANCE_S:
            raise ChunkRejected(f"observation: {-age_s:.2f} s in the future: do the clocks agree?")
        if age_s > self.settings.observation_timeout_s:
            raise ChunkRejected(
                f"observation: expected at most {self.settings.observation_timeout_s:g} s old, found {age_s:.2f} s"
            )
        state = self.state_in_motion(now_s)
        if state is None:
            raise ChunkRejected("no joint states have come")
        positions = np.asarray(chunk.positions, dtype=float)[:, columns]
        first = min(max(0, int(np.floor(age_s / chunk.step_s)) + 1), len(positions) - 1)
        check_jump(positions[first], state[0], self.settings.max_jump_rad, self.limits)
        return self.timeline.land(chunk.observation_s, chunk.step_s, positions, now_s).late

    def _follow(self, now_s: float) -> Trajectory | None:
        """The trajectory through all rows to come, once after rows have landed."""
        state = self.state_in_motion(now_s)
        if not self._new_rows or state is None or not len(self.timeline):
            return None
        self._new_rows = False
        times, rows = self.timeline.rows()
        # a row closer than half a step would ask for the whole change at once: the ones after it do
        far = times - now_s > 0.5 * self.step_s if len(times) > 1 else np.ones(1, dtype=bool)
        rows[far], changed = limit_motion(times[far], rows[far], now_s, *state, self.limits)
        self.counts.rows_clamped += changed
        self.timeline.replace(rows)
        self._trajectory = through_rows(now_s, *state, times[far], rows[far])
        self._holding = False
        return self._trajectory

    def _hold(self, now_s: float) -> Trajectory | None:
        """A trajectory to rest, once."""
        state = self.state_in_motion(now_s)
        if self._holding or state is None:
            return None
        self._trajectory = stop_from(now_s, *state, self.limits)
        self._holding, self._new_rows = True, False
        return self._trajectory

    def _request(self, now_s: float) -> Request | None:
        due = self.gate.next_request(now_s, len(self.timeline), self.horizon)
        if due is None:
            return None
        times, rows = self.timeline.rows()
        expected_s = self.latency.quantile_s(self.settings.latency_quantile)
        delay = int(np.ceil(expected_s / self.step_s)) if self.step_s else 0
        committed = rows[:delay]
        start_s = float(times[0]) if len(committed) else now_s
        return Request(
            id=due[0],
            reason=due[1],
            instruction=self.instruction,
            reset=due[0] == self.gate.first_id,
            queued_rows=len(rows),
            delay_rows=delay,
            committed_start_s=start_s,
            step_s=self.step_s,
            committed=committed,
            expected_latency_s=expected_s,
        )
