"""The recorder node: episodes into bags, by the action `record_episode` or by services, or by itself while tasks run.

What is recorded, and when an episode begins and ends, is decided in smolvla_ros.recording; messages pass through here
as they came from the wire.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from smolvla_msgs.action import RecordEpisode
from smolvla_msgs.msg import ExecutorState
from smolvla_msgs.srv import LabelEpisode
from smolvla_ros.bags import episode_notes
from smolvla_ros.bags.definitions import topic_of
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.serialized import stamp_ns
from smolvla_ros.bags.topic import Topic, qos_profile
from smolvla_ros.embodiment import EmbodimentError, load_embodiment
from smolvla_ros.nodes.conversions import diagnostics_message, seconds
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.nodes.tap import Tap
from smolvla_ros.recording.episode_recorder import (
    EndedEpisode,
    EndReason,
    EpisodeRecorder,
    NotReady,
    RecorderSettings,
)
from smolvla_ros.recording.topics import EXECUTOR_STATE, RecordedTopic, recorded_topics

DEFAULTS = RecorderSettings(Path("recordings"))
GIB = 2**30
PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("folder", str(DEFAULTS.folder), "where bags are written, one folder an episode"),
    Parameter("image_transport", "raw", "'raw' or 'compressed' images"),
    Parameter("instruction", "", "for ~/start; empty: what the executor is doing", live=True),
    Parameter("automatic", False, "records each task that the executor runs"),
    Parameter(
        "max_age",
        DEFAULTS.max_age_s,
        "s; no episode begins while a topic has no newer message",
        (0.05, 60.0),
    ),
    Parameter(
        "stale_limit", DEFAULTS.stale_limit_s, "s; a topic that stays away longer ends the episode", (0.1, 600.0)
    ),
    Parameter("min_free", DEFAULTS.min_free_bytes / GIB, "GiB of disk that are left free", (0.0, 10000.0)),
)
ERRORS = (BagError, EmbodimentError, OSError)
TAKE_HZ, FEEDBACK_HZ, SLOW_HZ = 50.0, 5.0, 1.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RecorderNode(ManagedNode):
    """Inactive it has its services and says why it cannot record; active it listens."""

    def __init__(self) -> None:
        super().__init__("recorder", PARAMETERS, ERRORS)
        self._server: ActionServer | None = None
        self._goal: Any = None
        self._ended: Future | None = None
        self._taps: list[tuple[RecordedTopic, Tap]] = []

    def configure(self) -> None:
        settings = self._settings = self.settings
        if settings["image_transport"] not in ("raw", "compressed"):
            raise EmbodimentError(f"image_transport: expected raw or compressed, found '{settings['image_transport']}'")
        self._embodiment = load_embodiment(settings["embodiment"])
        self._wanted = recorded_topics(self._embodiment, settings["image_transport"])
        self._episode = self.create_publisher(String, episode_notes.TOPIC, LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=1))
        named = {self._full_name(topic.name): topic for topic in self._wanted}
        described = {name: _described(name, topic) for name, topic in named.items()}
        episode = self._full_name(episode_notes.TOPIC)
        described[episode] = topic_of(episode, episode_notes.MESSAGE_TYPE, (qos_profile(1, True, latched=True),))
        self._core = EpisodeRecorder(
            described,
            [name for name, topic in named.items() if topic.required],
            {name for name, topic in named.items() if topic.latched},
            episode,
            self._embodiment.path.read_text(encoding="utf-8"),
            RecorderSettings(
                Path(settings["folder"]), settings["max_age"], settings["stale_limit"], int(settings["min_free"] * GIB)
            ),
            self._announce,
        )
        self._executor_state = ExecutorState()
        self._ticks, self._by_itself = 0, False
        for name in ("start", "stop", "discard", "rerecord"):
            self.create_service(Trigger, f"recorder/{name}", getattr(self, f"_{name}"))
        self.create_service(LabelEpisode, "recorder/label_episode", self._label)
        self._server = ActionServer(
            self,
            RecordEpisode,
            "recorder/record_episode",
            execute_callback=self._record_episode,
            goal_callback=self._check_goal,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def activate(self) -> None:
        self._taps = [
            (topic, Tap(self, topic.type, topic.name, topic.depth, topic.reliable, topic.latched))
            for topic in self._wanted
        ]
        self.create_timer(1.0 / TAKE_HZ, self._tick)

    def deactivate(self) -> None:
        """An episode under way is kept."""
        if self._core.recording:
            self._close(self._core.stop("the recorder was deactivated"))
        self._taps = []

    def cleanup(self) -> None:
        if self._server is not None:
            self._server.destroy()
            self._server = None

    def retune(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def _full_name(self, topic: str) -> str:
        return str(self.resolve_topic_name(topic))

    def _announce(self, notes: EpisodeNotes) -> bytes:
        message = String(data=notes.to_yaml())
        self._episode.publish(message)
        return bytes(serialize_message(message))

    # the clockwork

    def _tick(self) -> None:
        self._ticks += 1
        for topic, tap in self._taps:
            for taken in tap.take():
                stamp = stamp_ns(taken.data) if topic.required else taken.arrival_ns
                self._core.on_message(tap.topic, taken.arrival_ns, stamp, taken.data, taken.sequence)
                if topic.name == EXECUTOR_STATE:
                    self._executor_state = deserialize_message(taken.data, ExecutorState)
        if ended := self._core.tick(self._now_ns()):
            self._close(ended)
        if self._goal is not None and self._goal.is_cancel_requested:
            self._close(self._core.stop("canceled"))
        if self._settings["automatic"]:
            self._follow_executor()
        if self._due(FEEDBACK_HZ) and self._goal is not None:
            self._goal.publish_feedback(self._feedback())
        if self._due(SLOW_HZ):
            for _, tap in self._taps:
                tap.count_publishers()
            self._publish_diagnostics()

    def _due(self, rate_hz: float) -> bool:
        return self._ticks % round(TAKE_HZ / rate_hz) == 0

    def _follow_executor(self) -> None:
        """A task's episode begins with it and ends with it."""
        idle = self._executor_state.mode == ExecutorState.MODE_IDLE
        if self._core.recording and self._by_itself and idle:
            self._close(self._core.stop("the task is over"))
        elif not self._core.recording and not self._by_itself and not idle:
            self._by_itself = True
            self._try_start(self._executor_state.instruction, f"policy {self._executor_state.policy}".strip(), 0.0)
        if idle:
            self._by_itself = False

    # beginning and ending

    def _try_start(self, instruction: str, note: str, time_limit_s: float) -> str:
        """Why it could not begin, or ""."""
        try:
            folder = self._core.start(instruction, note, time_limit_s, self._now_ns())
        except (NotReady, BagError, OSError) as error:
            self.get_logger().error(f"no episode: {error}")
            return str(error)
        self.get_logger().info(f"recording {folder}: {instruction}")
        return ""

    def _close(self, ended: EndedEpisode) -> None:
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
        log = self.get_logger().error if ended.reason == EndReason.STORAGE or ended.dropped else self.get_logger().info
        log(f"{where}: {ended.message}; {ended.duration_s:.1f} s, {ended.messages} messages, {ended.dropped} lost")
        goal, self._goal, future, self._ended = self._goal, None, self._ended, None
        if goal is not None and future is not None:
            future.set_result(result)

    def _check_goal(self, _goal: RecordEpisode.Goal) -> GoalResponse:
        if self.state == "active":
            return GoalResponse.ACCEPT
        self.get_logger().error(f"record_episode: expected an active recorder, found it {self.state}")
        return GoalResponse.REJECT

    async def _record_episode(self, goal: Any) -> RecordEpisode.Result:
        request = goal.request
        instruction = request.instruction or self._default_instruction()
        if refused := self._try_start(instruction, request.note, seconds(request.time_limit)):
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

    def _feedback(self) -> RecordEpisode.Feedback:
        now_ns = self._now_ns()
        return RecordEpisode.Feedback(
            elapsed=self._core.elapsed_s(now_ns),
            messages=self._core.messages,
            dropped=self._core.dropped,
            stale_topics=self._core.stale(now_ns),
            free_bytes=self._core.free_bytes,
        )

    def _default_instruction(self) -> str:
        return str(self._settings["instruction"] or self._executor_state.instruction)

    # services

    def _start(self, _request: Any, response: Any) -> Any:
        return self._begin(self._default_instruction(), response)

    def _begin(self, instruction: str, response: Any) -> Any:
        if self.state != "active":
            response.message = f"expected an active recorder, found it {self.state}; activate it"
            return response
        refused = self._try_start(instruction, "", 0.0)
        response.success, response.message = not refused, refused or f"recording: {instruction}"
        return response

    def _stop(self, _request: Any, response: Any) -> Any:
        return self._answer(response, self._stop_and_tell)

    def _stop_and_tell(self) -> str:
        ended = self._core.stop()
        self._close(ended)
        return f"kept {ended.folder}: {ended.duration_s:.1f} s, {ended.messages} messages, {ended.dropped} lost"

    def _discard(self, _request: Any, response: Any) -> Any:
        def discard() -> str:
            newest = self._core.newest
            if ended := self._core.discard():
                self._close(ended)
            return "discarded" if ended else f"removed {newest}"

        return self._answer(response, discard)

    def _rerecord(self, _request: Any, response: Any) -> Any:
        """Removes the episode under way, or the newest, and begins it again."""

        def discard() -> str:
            if ended := self._core.discard_for_another(self._now_ns()):
                self._close(ended)
            return ""

        instruction = self._core.instruction
        self._answer(response, discard)
        return self._begin(instruction, response) if response.success else response

    def _label(self, request: Any, response: Any) -> Any:
        def label() -> str:
            folder = self._core.label(request.episode_succeeded, request.note)
            return f"{folder}: {'succeeded' if request.episode_succeeded else 'failed'}"

        return self._answer(response, label)

    def _answer(self, response: Any, act: Any) -> Any:
        try:
            response.message, response.success = act(), True
        except (NotReady, BagError, OSError) as error:
            response.message, response.success = str(error), False
        return response

    def _publish_diagnostics(self) -> None:
        now_ns = self._now_ns()
        stale, recording = self._core.stale(now_ns), self._core.recording
        level = DiagnosticStatus.WARN if stale or self._core.dropped else DiagnosticStatus.OK
        summary = "; ".join(stale) or ("recording" if recording else "ready")
        values = {
            "recording": recording,
            "messages": self._core.messages,
            "lost": self._core.dropped,
            "free_gib": f"{self._core.free_bytes / GIB:.1f}",
        }
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(stamp, "recorder", level, summary, values))

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def _described(name: str, topic: RecordedTopic) -> Topic:
    return topic_of(name, topic.type, (qos_profile(topic.depth, topic.reliable, topic.latched),))


def main() -> None:
    run_node(RecorderNode, ERRORS)


if __name__ == "__main__":
    main()
