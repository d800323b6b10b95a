"""The recorder node: episodes into bags, by the action `record_episode` or by services, or by itself while tasks run.

What is recorded, and when an episode begins and ends, is decided in smolvla_ros.recording; messages pass through here
as they came from the wire.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import String

from smolvla_msgs.msg import ExecutorState
from smolvla_ros.bags import episode_notes
from smolvla_ros.bags.definitions import topic_of
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.serialized import stamp_ns
from smolvla_ros.bags.topic import Topic, qos_profile
from smolvla_ros.embodiment import EmbodimentError, load_embodiment
from smolvla_ros.nodes.conversions import diagnostics_message
from smolvla_ros.nodes.episode_server import EpisodeServer
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.nodes.tap import Tap
from smolvla_ros.recording.episode_recorder import EpisodeRecorder, RecorderSettings
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
        self._server: EpisodeServer | None = None
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
        self._task_seen_ns: int | None = None
        self._server = EpisodeServer(self, self._core, self._now_ns, self._instruction, self._refusal)

    def activate(self) -> None:
        self._taps = [
            (topic, Tap(self, topic.type, topic.name, topic.depth, topic.reliable, topic.latched))
            for topic in self._wanted
        ]
        self.create_timer(1.0 / TAKE_HZ, self._tick)

    def deactivate(self) -> None:
        """An episode under way is kept."""
        if self._core.recording and self._server is not None:
            self._server.close(self._core.stop("the recorder was deactivated"))
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
        ended = self._core.tick(self._now_ns())
        if self._server is not None:
            if ended:
                self._server.close(ended)
            self._server.watch()
            if self._settings["automatic"]:
                self._follow_executor(self._server)
            if self._due(FEEDBACK_HZ):
                self._server.tell()
        if self._due(SLOW_HZ):
            for _, tap in self._taps:
                tap.count_publishers()
            self._publish_diagnostics()

    def _due(self, rate_hz: float) -> bool:
        return self._ticks % round(TAKE_HZ / rate_hz) == 0

    def _follow_executor(self, server: EpisodeServer) -> None:
        """A task's episode begins with it and ends with it."""
        idle = self._executor_state.mode == ExecutorState.MODE_IDLE
        if self._core.recording and self._by_itself and idle:
            server.close(self._core.stop("the task is over"))
        elif not self._core.recording and not self._by_itself and not idle:
            now_ns = self._now_ns()
            if self._task_seen_ns is None:
                self._task_seen_ns = now_ns
            if self._core.may_wait(self._task_seen_ns, now_ns):
                return
            self._by_itself = True
            server.try_start(self._executor_state.instruction, f"policy {self._executor_state.policy}".strip(), 0.0)
        if idle:
            self._by_itself, self._task_seen_ns = False, None

    def _instruction(self) -> str:
        return str(self._settings["instruction"] or self._executor_state.instruction)

    def _refusal(self) -> str:
        return "" if self.state == "active" else f"expected an active recorder, found it {self.state}"

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
