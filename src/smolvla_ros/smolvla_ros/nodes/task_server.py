"""The executor's task: the action RunTask, who may end it, and what its instruction is changed by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import GoalEvent
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from smolvla_msgs.action import RunTask
from smolvla_msgs.msg import ExecutorState
from smolvla_msgs.srv import FinishTask, SetInstruction
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.task_end import TaskEnd, end_due
from smolvla_ros.nodes.conversions import seconds
from smolvla_ros.nodes.executor_parameters import FLUSH


class TaskServer:
    """One task at a time: a new goal preempts the one before. State: the goal that runs.

    No coroutine waits for a task's end: rclpy's EventsExecutor asks one again without a pause, which takes a whole core
    for as long as the task runs. A goal is executing from the moment it is accepted, and its callback comes with its
    result.

    `settings` are the node's parameters; `refusal` says why no goal can be taken now, or nothing.
    """

    def __init__(
        self, node: LifecycleNode, core: ChunkExecutor, now_s: Callable[[], float], refusal: Callable[[], str]
    ) -> None:
        self.settings: dict[str, Any] = {}
        self._core, self._now_s, self._refusal = core, now_s, refusal
        self._logger = node.get_logger()
        self._goal: Any = None
        self._time_limit_s = 0.0
        node.create_service(SetInstruction, "executor/set_instruction", self._set_instruction)
        node.create_service(FinishTask, "executor/finish_task", self._finish)
        node.create_subscription(String, "instruction", self._on_instruction, QoSProfile(depth=1))
        self._server = ActionServer(
            node,
            RunTask,
            "executor/run_task",
            execute_callback=lambda _goal: RunTask.Result(),  # `end` gives one for each goal
            goal_callback=self._check,
            handle_accepted_callback=self._begin,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def destroy(self) -> None:
        self._server.destroy()

    def watch(self) -> None:
        """Ends the task where it is time to."""
        if self._goal is None:
            return
        if self._goal.is_cancel_requested:
            self.end(TaskEnd.CANCELED, "canceled")
            return
        core = self._core
        limits_s = self._time_limit_s, self.settings["fault_time_limit"]
        if due := end_due(core.mode, core.reason, core.task_time_s, core.held_s, *limits_s):
            self.end(*due)

    def tell(self, state: ExecutorState) -> None:
        """Feedback."""
        if self._goal is not None:
            self._goal.publish_feedback(RunTask.Feedback(state=state))

    def end(self, reason: TaskEnd, message: str, task_succeeded: bool = False, keep_queue: bool = False) -> None:
        """Ends the running task, if there is one; the arm holds, unless a new task goes on with the queue."""
        if self._goal is None:
            return
        counts = self._core.counts
        result = RunTask.Result(
            reason=int(reason),
            task_succeeded=task_succeeded,
            message=message,
            duration=self._core.task_time_s,
            chunks=counts.chunks_received,
            starved_time=counts.starved_s,
            rows_executed=counts.rows_executed,
        )
        self._logger.info(f"task ended: {message}")
        goal, self._goal = self._goal, None
        if not keep_queue:
            self._core.end_task()
        self._server.notify_execute(goal, lambda goal: _conclude(goal, result))

    def _check(self, goal: RunTask.Goal) -> GoalResponse:
        why = self._refusal() if goal.instruction.strip() else "expected an instruction, found an empty one"
        if why:
            self._core.goals_refused += 1
            self._logger.error(f"run_task: {why}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, goal: Any) -> None:
        goal._update_state(GoalEvent.EXECUTE)  # ServerGoalHandle.execute() without its callback
        flush = goal.request.queue_on_start == SetInstruction.Request.QUEUE_FLUSH
        self.end(TaskEnd.PREEMPTED, "a new goal came", keep_queue=not flush)
        self._goal = goal
        limit_s = seconds(goal.request.time_limit)
        self._time_limit_s = limit_s if limit_s > 0 else self.settings["task_time_limit"]
        self._core.start_task(goal.request.instruction, self._now_s(), flush)
        self._logger.info(f"task: {goal.request.instruction}")

    def _set_instruction(self, request: Any, response: Any) -> Any:
        flush = request.queue == SetInstruction.Request.QUEUE_FLUSH
        response.message = self._change(request.instruction, flush)
        response.success = not response.message
        response.message = response.message or f"now: {request.instruction}"
        return response

    def _on_instruction(self, message: String) -> None:
        """A topic may say the same again and again."""
        if self._goal is not None and message.data == self._core.instruction:
            return
        if why := self._change(message.data, self.settings["instruction_queue"] == FLUSH):
            self._logger.warning(f"instruction '{message.data}': {why}", throttle_duration_sec=5.0)

    def _change(self, instruction: str, flush: bool) -> str:
        """Why not, or nothing."""
        if self._goal is None:
            return "no task is running"
        if not instruction.strip():
            return "expected an instruction, found an empty one"
        self._core.change_instruction(instruction, flush)
        self._logger.info(f"task from now on: {instruction}")
        return ""

    def _finish(self, request: Any, response: Any) -> Any:
        response.success = self._goal is not None
        response.message = "finished" if response.success else "no task is running"
        self.end(TaskEnd.FINISHED, request.note, request.task_succeeded)
        return response


def _conclude(goal: Any, result: RunTask.Result) -> RunTask.Result:
    if result.reason == TaskEnd.CANCELED and goal.is_cancel_requested:
        goal.canceled()
    elif result.reason in (TaskEnd.FINISHED, TaskEnd.TIME_LIMIT):
        goal.succeed()
    else:
        goal.abort()
    return result
