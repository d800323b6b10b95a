"""The executor node: requests chunks, queues them by time, sends trajectories to joint_trajectory_controller.

All decisions are made by smolvla_ros.execution.executor; this file turns messages into its calls and back.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from smolvla_msgs.action import RunTask
from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState
from smolvla_msgs.srv import FinishTask, SetInstruction
from smolvla_ros.embodiment import Embodiment, EmbodimentError, load_embodiment
from smolvla_ros.execution.exchange import ArrivedChunk, Request
from smolvla_ros.execution.executor import ChunkExecutor, Mode
from smolvla_ros.execution.overlap import OVERLAPS, OverlapError
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.nodes.conversions import (
    diagnostics_message,
    duration_message,
    joint_positions,
    rows_array,
    rows_message,
    seconds,
    time_message,
    trajectory_message,
)
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.newest import Newest
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node

DEFAULTS = ExecutorSettings()
PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("rate", 50.0, "Hz; how often the queue is looked at", (10.0, 500.0)),
    Parameter("threshold", DEFAULTS.threshold, "g: a chunk is asked for at g * horizon rows left", (0.0, 1.0)),
    Parameter("auto_threshold", DEFAULTS.auto_threshold, "take the lowest g that measured latencies allow"),
    Parameter("similarity", DEFAULTS.similarity_rad, "rad; no chunk while all joints moved less; 0: off", (0.0, 3.2)),
    Parameter("overlap", DEFAULTS.overlap, "rows of two chunks: " + ", ".join(OVERLAPS)),
    Parameter("gripper_overlap", "", "the same for the gripper; empty: as overlap"),
    Parameter("cross_fade", DEFAULTS.cross_fade_s, "s; how long cross_fade takes", (0.0, 10.0)),
    Parameter(
        "ensemble_coefficient",
        DEFAULTS.ensemble_coefficient,
        "m of temporal_ensemble: chunk i, 0 the oldest, weighs exp(-m i)",
        (-1.0, 1.0),
    ),
    Parameter("request_timeout", DEFAULTS.request_timeout_s, "s; a request older than this is given up", (0.1, 600.0)),
    Parameter("joint_state_timeout", DEFAULTS.joint_state_timeout_s, "s; older joint states: hold", (0.02, 10.0)),
    Parameter(
        "observation_timeout", DEFAULTS.observation_timeout_s, "s; chunks of older observations: refused", (0.05, 600.0)
    ),
    Parameter("max_jump", DEFAULTS.max_jump_rad, "rad; a chunk that starts farther away is refused", (0.01, 7.0)),
    Parameter("task_time_limit", 120.0, "s; for RunTask goals that name none", (1.0, 86400.0)),
    Parameter("fault_time_limit", 15.0, "s; a task that has been held this long ends with REASON_FAULT", (0.5, 3600.0)),
)
STATE_HZ = 10.0
FEEDBACK_HZ = 5.0
DIAGNOSTICS_HZ = 1.0
LAST_WORD_S = 1.0
OPERATOR_ERRORS = (EmbodimentError, OverlapError)


class ExecutorNode(ManagedNode):
    """Configured it takes an emergency stop, active it takes tasks and sends trajectories.

    One task at a time: a new RunTask goal preempts the one before.
    """

    def __init__(self) -> None:
        super().__init__("executor", PARAMETERS, OPERATOR_ERRORS)
        self._goal: Any = None
        self._ended: Future | None = None
        self._server: ActionServer | None = None

    def configure(self) -> None:
        settings = self._settings = self.settings
        embodiment = load_embodiment(settings["embodiment"])
        self._names = embodiment.joint_names
        self._core = ChunkExecutor(
            MotionLimits.of(embodiment),
            ExecutorSettings(
                threshold=settings["threshold"],
                auto_threshold=settings["auto_threshold"],
                similarity_rad=settings["similarity"],
                overlap=settings["overlap"],
                joint_overlap=self._gripper_overlap(embodiment),
                cross_fade_s=settings["cross_fade"],
                ensemble_coefficient=settings["ensemble_coefficient"],
                request_timeout_s=settings["request_timeout"],
                joint_state_timeout_s=settings["joint_state_timeout"],
                observation_timeout_s=settings["observation_timeout"],
                max_jump_rad=settings["max_jump"],
            ),
        )
        self._time_limit_s = 0.0
        self._ticks = 0
        self._told_refusal = self._told_trouble = self._told_warning = ""
        self._trajectories = self.create_publisher(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", QoSProfile(depth=1)
        )
        self._requests = self.create_publisher(ChunkRequest, "chunk_request", QoSProfile(depth=1))
        self._states = self.create_publisher(ExecutorState, "executor/state", QoSProfile(depth=1))
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=1))
        self._joint_states = Newest(self, JointState, "joint_states")
        for name in ("pause", "resume", "emergency_stop", "reset_emergency_stop"):
            self.create_service(Trigger, f"executor/{name}", getattr(self, f"_{name}"))
        self.create_service(SetInstruction, "executor/set_instruction", self._set_instruction)
        self.create_service(FinishTask, "executor/finish_task", self._finish_task)
        self._server = ActionServer(
            self,
            RunTask,
            "executor/run_task",
            execute_callback=self._run_task,
            goal_callback=self._check_goal,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def activate(self) -> None:
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, QoSProfile(depth=5))
        self.create_timer(1.0 / self._settings["rate"], self._tick)

    def deactivate(self) -> None:
        """The arm comes to rest now, not where the queue ends."""
        self._end(RunTask.Result.REASON_CANCELED, "the executor was deactivated")
        self._core.end_task()
        self._step()
        # what is published in a process's last moment is lost unless somebody has taken it
        self._trajectories.wait_for_all_acked(Duration(seconds=LAST_WORD_S))

    def cleanup(self) -> None:
        if self._server is not None:
            self._server.destroy()
            self._server = None

    def _gripper_overlap(self, embodiment: Embodiment) -> dict[str, str]:
        """LeRobot counts a gripper from 0, closed, to 100, open."""
        rule = self._settings["gripper_overlap"] or self._settings["overlap"]
        return {joint.name: rule for joint in embodiment.joints if joint.lerobot_unit == "range_0_100"}

    # inputs

    def _look_at_arm(self) -> None:
        message = self._joint_states.get()
        if message is None:
            return
        positions = joint_positions(message, self._names)
        if positions is None:
            expected, found = ", ".join(self._names), ", ".join(message.name) or "none"
            self._core.on_unusable_joint_state(f"{self._joint_states.topic}: expected joints {expected}; found {found}")
        else:
            self._core.on_joint_state(seconds(message.header.stamp), positions)

    def _on_chunk(self, message: ActionChunk) -> None:
        now_s = self._now_s()
        if message.status != ActionChunk.STATUS_OK:
            counts = self._core.on_refusal(message.request_id, message.message, now_s)
            if counts and message.status == ActionChunk.STATUS_REFUSED:
                self._end(RunTask.Result.REASON_REFUSED, message.message)
            return
        chunk = ArrivedChunk(
            request_id=message.request_id,
            instruction=message.instruction,
            policy=message.policy,
            observation_s=seconds(message.observation_stamp),
            step_s=seconds(message.step),
            joint_names=message.joint_names,
            positions=rows_array(message.positions),
        )
        try:
            self._core.on_chunk(chunk, now_s)
        except ChunkRejected as rejected:
            if str(rejected) != self._told_refusal:
                self.get_logger().warning(f"chunk {message.id} refused: {rejected}")
            self._told_refusal = str(rejected)
        else:
            self._told_refusal = ""
            self._step()

    # the clockwork

    def _tick(self) -> None:
        self._ticks += 1
        self._look_at_arm()
        self._step()
        self._watch_task()
        self._tell_trouble()
        if self._due(STATE_HZ):
            self._publish_state()
        if self._due(DIAGNOSTICS_HZ):
            self._publish_diagnostics()

    def _due(self, rate_hz: float) -> bool:
        return self._ticks % max(1, round(self._settings["rate"] / rate_hz)) == 0

    def _step(self) -> None:
        """What has come in goes out at once: not a tick later."""
        commands = self._core.tick(self._now_s())
        if commands.trajectory is not None:
            self._trajectories.publish(trajectory_message(commands.trajectory, self._names))
        if commands.request is not None:
            self._requests.publish(self._request_message(commands.request))

    def _watch_task(self) -> None:
        """Ends the task where it is time to."""
        if self._goal is None:
            return
        result, core = RunTask.Result, self._core
        if self._goal.is_cancel_requested:
            self._end(result.REASON_CANCELED, "canceled")
        elif core.mode == Mode.EMERGENCY_STOP:
            self._end(result.REASON_EMERGENCY_STOP, core.reason)
        elif core.task_time_s >= self._time_limit_s:
            self._end(result.REASON_TIME_LIMIT, f"the time limit of {self._time_limit_s:g} s is over")
        elif core.held_s > self._settings["fault_time_limit"]:
            self._end(result.REASON_FAULT, core.reason)

    def _tell_trouble(self) -> None:
        """Each trouble once, by its headline: what follows may hold figures that change."""
        core = self._core
        headline = core.reason.partition(":")[0] if core.in_trouble else ""
        if headline and headline not in (self._told_trouble, "chunk refused"):
            self.get_logger().warning(f"the arm holds: {core.reason}")
        elif self._told_trouble and core.mode == Mode.RUNNING:
            self.get_logger().info("the arm goes on")
        if headline or core.mode == Mode.RUNNING:
            self._told_trouble = headline
        warning = core.warning.partition(":")[0]
        if warning and warning != self._told_warning:
            self.get_logger().warning(core.warning)
        self._told_warning = warning

    def _request_message(self, request: Request) -> ChunkRequest:
        message = ChunkRequest(
            id=request.id,
            reason=int(request.reason),
            instruction=request.instruction,
            reset=request.reset,
            queued_rows=request.queued_rows,
            delay_rows=request.delay_rows,
            committed_start=time_message(request.committed_start_s),
            step=duration_message(request.step_s),
            joint_names=list(self._names),
            committed=rows_message(request.committed),
            expected_latency=request.expected_latency_s,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    # the task

    def _check_goal(self, goal: RunTask.Goal) -> GoalResponse:
        if not goal.instruction.strip():
            self.get_logger().error("run_task: expected an instruction, found an empty one")
            return GoalResponse.REJECT
        if self._core.stopped:
            self.get_logger().error(
                "run_task: the emergency stop is latched: reset it by executor/reset_emergency_stop"
            )
            return GoalResponse.REJECT
        if self.state != "active":
            self.get_logger().error(f"run_task: expected an active executor, found it {self.state}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    async def _run_task(self, goal: Any) -> RunTask.Result:
        flush = goal.request.queue_on_start == SetInstruction.Request.QUEUE_FLUSH
        self._end(RunTask.Result.REASON_PREEMPTED, "a new goal came", keep_queue=not flush)
        ended = Future()
        self._goal, self._ended = goal, ended
        limit_s = seconds(goal.request.time_limit)
        self._time_limit_s = limit_s if limit_s > 0 else self._settings["task_time_limit"]
        self._core.start_task(goal.request.instruction, self._now_s(), flush)
        self.get_logger().info(f"task: {goal.request.instruction}")
        result = await ended
        if result.reason == RunTask.Result.REASON_CANCELED:
            goal.canceled()
        elif result.reason in (RunTask.Result.REASON_FINISHED, RunTask.Result.REASON_TIME_LIMIT):
            goal.succeed()
        else:
            goal.abort()
        return result

    def _end(self, reason: int, message: str, task_succeeded: bool = False, keep_queue: bool = False) -> None:
        """Ends the running task, if there is one; the arm holds, unless a new task goes on with the queue."""
        if self._goal is None or self._ended is None:
            return
        counts = self._core.counts
        result = RunTask.Result(
            reason=reason,
            task_succeeded=task_succeeded,
            message=message,
            duration=self._core.task_time_s,
            chunks=counts.chunks_received,
            starved_time=counts.starved_s,
            rows_executed=counts.rows_executed,
        )
        self.get_logger().info(f"task ended: {message}")
        ended, self._ended, self._goal = self._ended, None, None
        if not keep_queue:
            self._core.end_task()
        ended.set_result(result)

    def _set_instruction(self, request: Any, response: Any) -> Any:
        if self._goal is None or not request.instruction.strip():
            response.message = (
                "no task is running" if self._goal is None else "expected an instruction, found an empty one"
            )
            return response
        self._core.change_instruction(request.instruction, request.queue == SetInstruction.Request.QUEUE_FLUSH)
        response.success, response.message = True, f"now: {request.instruction}"
        return response

    def _finish_task(self, request: Any, response: Any) -> Any:
        response.success = self._goal is not None
        response.message = "finished" if response.success else "no task is running"
        self._end(RunTask.Result.REASON_FINISHED, request.note, request.task_succeeded)
        return response

    def _pause(self, _request: Any, response: Any) -> Any:
        self._core.pause()
        return _answer(response, "the arm holds; go on by executor/resume")

    def _resume(self, _request: Any, response: Any) -> Any:
        self._core.resume()
        return _answer(response, "goes on")

    def _emergency_stop(self, _request: Any, response: Any) -> Any:
        self._core.emergency_stop()
        self._look_at_arm()
        self._step()
        return _answer(response, "the arm holds until executor/reset_emergency_stop")

    def _reset_emergency_stop(self, _request: Any, response: Any) -> Any:
        self._core.reset_emergency_stop()
        return _answer(response, "reset; give the task again")

    # what it tells

    def _publish_state(self) -> None:
        core, now_s = self._core, self._now_s()
        counts = {name: value for name, value in asdict(core.counts).items() if name != "starved_s"}
        message = ExecutorState(
            mode=int(core.mode),
            reason=core.reason,
            instruction=core.instruction,
            policy=core.policy,
            queue_depth=len(core.timeline),
            horizon=core.horizon,
            queue_time=max(0.0, core.timeline.end_s - now_s),
            threshold=core.gate.threshold,
            request_in_flight=core.gate.in_flight is not None,
            requests_sent=core.gate.sent,
            requests_timed_out=core.gate.timed_out,
            starved_time=core.counts.starved_s,
            task_time=core.task_time_s,
            latency_last=core.latency.last_s,
            latency_p50=core.latency.quantile_s(0.5),
            latency_p99=core.latency.quantile_s(0.99),
            **counts,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)
        if self._goal is not None and self._due(FEEDBACK_HZ):
            self._goal.publish_feedback(RunTask.Feedback(state=message))

    def _publish_diagnostics(self) -> None:
        core = self._core
        if core.mode in (Mode.FAULT, Mode.EMERGENCY_STOP):
            level = DiagnosticStatus.ERROR
        else:
            warned = core.warning or core.mode in (Mode.STARVED, Mode.PAUSED)
            level = DiagnosticStatus.WARN if warned else DiagnosticStatus.OK
        summary = core.reason or core.warning or "executing chunks"
        values = {"mode": core.mode.name.lower(), "queue": len(core.timeline), **asdict(core.counts)}
        self._diagnostics.publish(
            diagnostics_message(self.get_clock().now().to_msg(), "executor", level, summary, values)
        )

    def _now_s(self) -> float:
        return seconds(self.get_clock().now().to_msg())


def _answer(response: Any, message: str) -> Any:
    response.success, response.message = True, message
    return response


def main() -> None:
    run_node(ExecutorNode, OPERATOR_ERRORS)


if __name__ == "__main__":
    main()
