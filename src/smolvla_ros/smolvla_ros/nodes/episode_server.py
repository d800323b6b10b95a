"""The recorder's episodes: the action `record_episode`, and the services that begin, end, discard and label them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from std_srvs.srv import Trigger

from smolvla_msgs.action import RecordEpisode
from smolvla_msgs.srv import LabelEpisode
from smolvla_ros.bags.errors import BagError
from smolvla_ros.nodes.conversions import seconds
from smolvla_ros.recording.episode_recorder import EndedEpisode, EndReason, EpisodeRecorder, NotReady


class EpisodeServer:
    """State: the goal that runs and the future of its end. One episode at a time.

    `instruction` is what is recorded where nobody names one; `refusal` says why no episode can begin now, or nothing.
    """

    def __init__(
        self,
        node: LifecycleNode,
        core: EpisodeRecorder,
        now_ns: Callable[[], int],
        instruction: Callable[[], str],
        refusal: Callable[[], str],
    ) -> None:
        self._core, self._now_ns, self._instruction, self._refusal = core, now_ns, instruction, refusal
        self._logger = node.get_logger()
        self._goal: Any = None
        self._ended: Future | None = None
        for name in ("start", "stop", "discard", "rerecord"):
            node.create_service(Trigger, f"recorder/{name}", getattr(self, f"_{name}"))
        node.create_service(LabelEpisode, "recorder/label_episode", self._label)
        self._server = ActionServer(
            node,
            RecordEpisode,
            "recorder/record_episode",
            execute_callback=self._record_episode,
            goal_callback=self._check_goal,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def destroy(self) -> None:
        self._server.destroy()

    def try_start(self, instruction: str, note: str, time_limit_s: float) -> str:
        """Why it could not begin, or ""."""
        try:
            folder = self._core.start(instruction, note, time_limit_s, self._now_ns())
        except (NotReady, BagError, OSError) as error:
            self._logger.error(f"no episode: {error}")
            return str(error)
        self._logger.info(f"recording {folder}: {instruction}")
        return ""

    def watch(self) -> None:
        """Ends the episode where its goal was canceled."""
        if self._goal is not None and self._goal.is_cancel_requested:
            self.close(self._core.stop("canceled"))

    def tell(self) -> None:
        """Feedback."""
        if self._goal is None:
            return
        now_ns = self._now_ns()
        feedback = RecordEpisode.Feedback(
            elapsed=self._core.elapsed_s(now_ns),
            messages=self._core.messages,
            dropped=self._core.dropped,
            stale_topics=self._core.stale(now_ns),
            free_bytes=self._core.free_bytes,
        )
        self._goal.publish_feedback(feedback)

    def close(self, ended: EndedEpisode) -> None:
        """Tells how the episode ended, and its goal, where there is one."""
        result = RecordEpisode.Result(
            reason=ended.reason.value,
            message=ended.message,
            bag_path=str(ended.folder or ""),
            duration=ended.duration_s,
            messages=ended.messages,
            dropped=ended.dropped,
        )
        where = ended.folder or "removed"
        log = self._logger.error if ended.reason == EndReason.STORAGE or ended.dropped else self._logger.info
        log(f"{where}: {ended.message}; {ended.duration_s:.1f} s, {ended.messages} messages, {ended.dropped} lost")
        goal, self._goal, future, self._ended = self._goal, None, self._ended, None
        if goal is not None and future is not None:
            future.set_result(result)

    # the action

    def _check_goal(self, _goal: RecordEpisode.Goal) -> GoalResponse:
        if why := self._refusal():
            self._logger.error(f"record_episode: {why}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    async def _record_episode(self, goal: Any) -> RecordEpisode.Result:
        request = goal.request
        instruction = request.instruction or self._instruction()
        if refused := self.try_start(instruction, request.note, seconds(request.time_limit)):
            goal.abort()
            stale = bool(self._core.stale(self._now_ns()))
            reason = EndReason.STALE_TOPIC if stale else EndReason.STORAGE
            return RecordEpisode.Result(reason=reason.value, message=refused)
        ended = Future()
        self._goal, self._ended = goal, ended
        result = await ended
        if goal.is_cancel_requested:
            goal.canceled()
        elif result.reason in (EndReason.STOPPED.value, EndReason.TIME_LIMIT.value):
            goal.succeed()
        else:
            goal.abort()
        return result

    # services

    def _start(self, _request: Any, response: Any) -> Any:
        return self._begin(self._instruction(), response)

    def _begin(self, instruction: str, response: Any) -> Any:
        if why := self._refusal():
            response.message = f"{why}; activate it"
            return response
        refused = self.try_start(instruction, "", 0.0)
        response.success, response.message = not refused, refused or f"recording: {instruction}"
        return response

    def _stop(self, _request: Any, response: Any) -> Any:
        return _answer(response, self._stop_and_tell)

    def _stop_and_tell(self) -> str:
        ended = self._core.stop()
        self.close(ended)
        return f"kept {ended.folder}: {ended.duration_s:.1f} s, {ended.messages} messages, {ended.dropped} lost"

    def _discard(self, _request: Any, response: Any) -> Any:
        def discard() -> str:
            newest = self._core.newest
            if ended := self._core.discard():
                self.close(ended)
            return "discarded" if ended else f"removed {newest}"

        return _answer(response, discard)

    def _rerecord(self, _request: Any, response: Any) -> Any:
        """Removes the episode under way, or the newest, and begins it again."""

        def discard() -> str:
            if ended := self._core.discard_for_another(self._now_ns()):
                self.close(ended)
            return ""

        instruction = self._core.instruction
        _answer(response, discard)
        return self._begin(instruction, response) if response.success else response

    def _label(self, request: Any, response: Any) -> Any:
        def label() -> str:
            folder = self._core.label(request.episode_succeeded, request.note)
            return f"{folder}: {'succeeded' if request.episode_succeeded else 'failed'}"

        return _answer(response, label)


def _answer(response: Any, act: Callable[[], str]) -> Any:
    try:
        response.message, response.success = act(), True
    except (NotReady, BagError, OSError) as error:
        response.message, response.success = str(error), False
    return response
