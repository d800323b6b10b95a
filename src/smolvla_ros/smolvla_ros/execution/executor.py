"""The executor: decides, from what it has been told and the clock, what to ask for and what to send to the controller.

    executor.start_task("put the red cube in the blue box", now_s)
    executor.on_joint_state(stamp_s, positions)          # as they come
    executor.on_chunk(chunk, now_s)
    commands = executor.tick(now_s)                      # trajectory to publish, request to publish, or nothing

Starved, paused, at fault or stopped, the arm holds: one trajectory to rest is sent, and nothing after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smolvla_ros.execution.acceptance import acceptable_rows, check_inputs, check_task, past_rows
from smolvla_ros.execution.asking import Asker, Asking
from smolvla_ros.execution.clock_offset import ClockOffset
from smolvla_ros.execution.collisions import ClearMotion, CollisionCheck, clear_motion
from smolvla_ros.execution.commanded import CommandedMotion, moves_little
from smolvla_ros.execution.exchange import ArrivedChunk, Commands, Request, TaskCounts
from smolvla_ros.execution.freshness import CLOCK_TOLERANCE_S
from smolvla_ros.execution.joint_watch import JointWatch
from smolvla_ros.execution.mode import Holds, Mode, mode_by_policy
from smolvla_ros.execution.requests import Reason, RequestGate
from smolvla_ros.execution.safety import MotionLimits, check_jump
from smolvla_ros.execution.settings import SYNC, ExecutorSettings
from smolvla_ros.execution.timeline import ChunkRejected, Timeline
from smolvla_ros.execution.timing import ChunkTiming
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.execution.within_limits import LimitedMotion

# a longer pause between two ticks is a clock set forward, or this process stood still
LONGEST_TICK_S = 2.0
# images are a little older than the request
OBSERVED_AT_REST_S = 0.1


@dataclass
class ChunkExecutor:
    """State: the timeline, what the controller has been told, the task, and the latched stops.

    Without `collisions` nothing but the joints' limits keeps the arm from the table and from itself.
    """

    limits: MotionLimits
    settings: ExecutorSettings = field(default_factory=ExecutorSettings)
    collisions: CollisionCheck | None = None

    def __post_init__(self) -> None:
        self.timeline = Timeline(len(self.limits.names), self.settings.overlap_of(self.limits.names))
        self.gate = RequestGate(self.settings.threshold, self.settings.request_timeout_s)
        self.timing = ChunkTiming(self.settings)
        self._asking = Asking(self.gate, self.timing, self.timeline)
        self.counts = TaskCounts()
        self.motion = CommandedMotion(self.limits)
        self.mode, self.reason = Mode.IDLE, "no task"
        self.policy_clock = ClockOffset()
        self.instruction, self.policy = "", ""
        self.horizon, self.policy_step_s = 0, 0.0
        self.holds, self.joints = Holds(), JointWatch(self.settings.joint_state_timeout_s)
        self.foreign_trajectories = self.clock_jumps = self.goals_refused = 0
        self._held_since_s: float | None = None
        self._task_start_s = self._last_tick_s = 0.0
        self._policy_fault = ""
        self._new_rows = self._dropped = False

    # what the operator asks for

    def start_task(self, instruction: str, now_s: float, flush: bool = True) -> None:
        """Begins a task, also while another runs; `flush` drops what is queued of the one before."""
        self.instruction, self.holds.running = instruction, True
        self.counts = TaskCounts()
        self.horizon = 0
        self._task_start_s = self._last_tick_s = now_s
        self._policy_fault, self.timing.warning, self._held_since_s = "", "", None
        self.gate.restart()
        if flush:
            self._drop_rows()

    def end_task(self) -> None:
        """The arm holds; no chunk is asked for any more."""
        self.holds.running = False
        self._drop_rows()

    def change_instruction(self, instruction: str, flush: bool) -> None:
        """From the next request on the policy is told the new text; `flush` holds until its first chunk."""
        self.instruction = instruction
        self.gate.ask_now(Reason.INSTRUCTION)
        if flush:
            self._drop_rows()

    def pause(self) -> None:
        self.holds.paused = True

    def resume(self) -> None:
        """Goes on where the arm is; what was queued before the pause is for times that are past."""
        self.holds.paused = False
        self._ask_afresh()

    def emergency_stop(self) -> None:
        """Also stops what others have sent to the controller, and what they send while it is latched."""
        self.holds.stopped = True
        self.motion.holding = False

    def reset_emergency_stop(self) -> None:
        self.holds.stopped = False
        self._ask_afresh()

    def retune(self, settings: ExecutorSettings) -> None:
        """Other settings from now on. Raises OverlapError, and keeps those it has."""
        self.timeline.use(settings.overlap_of(self.limits.names))
        self.settings = settings
        self.timing.use(settings)
        self.gate.threshold, self.gate.timeout_s = settings.threshold, settings.request_timeout_s
        self.joints.timeout_s = settings.joint_state_timeout_s

    # what the graph tells

    def on_joint_state(self, stamp_s: float, positions: np.ndarray) -> None:
        """Measured positions (joints,) in the limits' order."""
        if self.joints.take(stamp_s, positions) and self.joints.fresh(self._last_tick_s):
            self.motion.observe(stamp_s, positions)

    def on_unusable_joint_state(self, why: str) -> None:
        self.joints.unusable(why)

    def on_foreign_trajectory(self) -> None:
        """Somebody else has sent the controller a trajectory: against the emergency stop, or into a task. The arm holds
        where it is; a task then goes on from there.
        """
        if not (self.holds.stopped or (self.holds.running and not self.holds.paused)):
            return
        self.foreign_trajectories += 1
        self.motion.forget()
        self.motion.holding = False
        self._ask_afresh()

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
            check_inputs(chunk, self.settings.input_timeout_s)
            late = self._land(chunk, now_s)
        except ChunkRejected as rejected:
            self.gate.answered(chunk.request_id, now_s, with_rows=False)
            self.counts.chunks_refused += 1
            self.counts.refusals[rejected.kind] += 1
            self.counts.rows_refused += len(chunk.positions)
            self._policy_fault = f"chunk refused: {rejected}"
            raise
        self.gate.answered(chunk.request_id, now_s, with_rows=True)
        self.counts.chunks_received += 1
        self.counts.rows_late += late
        self.horizon, self.policy_step_s, self.policy = len(chunk.positions), chunk.step_s, chunk.policy
        self._policy_fault, self._new_rows = "", True
        pace = self.timing.pace
        self.timing.judge(now_s - chunk.observation_s, self.horizon, chunk.step_s)
        if self.timing.pace.slowdown != pace.slowdown:
            self.timeline.stretch(now_s, self.timing.pace.slowdown / pace.slowdown)
        self.gate.threshold = self.timing.threshold

    def tick(self, now_s: float) -> Commands:
        """Moves on to now and says what to publish. Call it at a steady rate, faster than the chunks' rows."""
        since_s = now_s - self._last_tick_s
        if self._last_tick_s and not -CLOCK_TOLERANCE_S <= since_s <= LONGEST_TICK_S:
            self._follow_the_clock(now_s, since_s)
            since_s = 0.0
        self._last_tick_s = now_s
        executed = self.timeline.advance(now_s)
        self._look(now_s)
        motion = None if self.holds.mode(self.joints, now_s) else self._plan(now_s)
        self._update_mode(now_s)
        if self.holds.mode(self.joints, now_s):
            self._drop_rows()
            return Commands(self._hold(now_s))
        self.counts.rows_executed += executed
        if not len(self.timeline) and self.horizon:
            self.counts.starved_s += max(0.0, since_s)
        return Commands(self._follow(now_s, motion), self._request(now_s))

    @property
    def warning(self) -> str:
        """What an operator should look at although the arm moves; empty where there is nothing."""
        return self.timing.warning or self.policy_clock.warning(CLOCK_TOLERANCE_S)

    @property
    def task_time_s(self) -> float:
        return self._last_tick_s - self._task_start_s if self.holds.running else 0.0

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

    def _drop_rows(self) -> None:
        """The controller still follows what was sent; a hold has to follow."""
        self.timeline.flush()
        self._new_rows, self._dropped = False, True

    def _ask_afresh(self) -> None:
        self._drop_rows()
        self._policy_fault = ""
        self.gate.ask_now(Reason.STARVED if self.horizon else Reason.START)

    def _follow_the_clock(self, now_s: float, since_s: float) -> None:
        """The clock was set, or this process stood still: all times known are of another clock, the arm starts anew.
        The time between is not the task's.
        """
        self.clock_jumps += 1
        self._task_start_s += since_s
        self._held_since_s = None
        if since_s > 0 and self.joints.measured is not None:
            self.motion.forget_unless_followed(now_s, self.joints.measured)
        else:
            self.motion.forget()
        self._ask_afresh()

    def _look(self, now_s: float) -> None:
        """Whether the joint states are there. When they are back, the arm may be elsewhere."""
        if self.joints.look(now_s) and self.joints.measured is not None:
            self.motion.forget_unless_followed(now_s, self.joints.measured)
            self._ask_afresh()

    def _update_mode(self, now_s: float) -> None:
        self.mode, self.reason = self.holds.mode(self.joints, now_s) or mode_by_policy(
            len(self.timeline), self.gate, self._policy_fault, first_chunk=not self.horizon
        )
        if self.mode not in (Mode.FAULT, Mode.STARVED):
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = now_s

    def _land(self, chunk: ArrivedChunk, now_s: float) -> int:
        """The number of rows that came too late."""
        if held := self.holds.mode(self.joints, now_s):
            raise ChunkRejected(f"held: {held[1]}")
        if self.joints.measured is None:
            raise ChunkRejected("held: no joint state has come yet")
        check_task(chunk, self.instruction, self.gate.first_id)
        positions = acceptable_rows(chunk, now_s, self.limits, self.settings)
        step_s = chunk.step_s * self.timing.pace.slowdown
        past = past_rows(chunk, now_s, step_s)
        # None of the motion that the policy wants is past, however long its answer took, where the arm has held, or
        # was told to stay where it was, since it looked. A policy that wants it to stay for a while is obeyed.
        stayed = self.motion.still_since(chunk.observation_s, now_s) and not moves_little(positions[:past])
        from_arrival = stayed or self._rested_since(chunk.observation_s)
        check_jump(
            positions[0 if from_arrival else past], self.joints.measured, self.settings.max_jump_rad, self.limits
        )
        if self.settings.mode == SYNC and self.settings.n_action_steps:
            positions = positions[: self.settings.n_action_steps]
        start_s = now_s + step_s if from_arrival else chunk.observation_s
        return self.timeline.land(chunk.observation_s, step_s, positions, now_s, start_s).late

    def _rested_since(self, observation_s: float) -> bool:
        """Whether the arm has held since a policy looked."""
        return not len(self.timeline) and self.motion.at_rest_since(observation_s + OBSERVED_AT_REST_S)

    @property
    def step_s(self) -> float:
        """Between rows as they are executed; 0 before the first chunk."""
        return self.policy_step_s * self.timing.pace.slowdown

    def _plan(self, now_s: float) -> LimitedMotion | None:
        """Through all rows to come, once after rows have landed, without those from a collision on."""
        if not self._new_rows or self.joints.measured is None or not len(self.timeline):
            return None
        measured, (times_s, rows) = self.joints.measured, self.timeline.rows()

        def plan(count: int) -> LimitedMotion:
            return self.motion.plan(now_s, measured, times_s[:count], rows[:count], self.step_s)

        if self.collisions is None:
            return plan(len(rows))
        clear = clear_motion(plan, times_s, self.collisions)
        if clear.collision is not None:
            self._refuse_rows(now_s, clear, self.collisions.told(clear.collision))
        return clear.motion

    def _refuse_rows(self, now_s: float, clear: ClearMotion, told: str) -> None:
        """The arm does what is left, and holds unless another chunk comes in time."""
        self.counts.rows_refused += self.timeline.cut(clear.rows)
        self.counts.refusals["collision"] += 1
        self._policy_fault = f"rows refused: {told}"
        if not clear.rows:
            self.counts.chunks_refused += 1
            self.gate.pause(now_s)
            self._drop_rows()

    def _follow(self, now_s: float, motion: LimitedMotion | None) -> Trajectory | None:
        """The planned motion's trajectory; a hold where rows were dropped and nothing came in their place."""
        if motion is None:
            return self._hold(now_s) if self._dropped else None
        self._new_rows = self._dropped = False
        self.motion.follow(motion)
        self.counts.rows_clamped += motion.changed
        self.counts.clamps.update(motion.clamps)
        self.timeline.replace(motion.rows)
        return motion.trajectory

    def _hold(self, now_s: float) -> Trajectory | None:
        """A trajectory to rest, once."""
        self._dropped = False
        if self.motion.holding or self.joints.measured is None:
            return None
        return self.motion.hold(now_s, self.joints.measured)

    def _request(self, now_s: float) -> Request | None:
        rested = self._rested_since(now_s - OBSERVED_AT_REST_S)
        asker = Asker(self.instruction, self.horizon, self.step_s, self.joints.measured, rested)
        return self._asking.request(now_s, asker, self.settings.similarity_rad)
