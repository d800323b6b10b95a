"""One episode after the other: begun when all is fresh, ended by the operator, by time, by a topic or by the disk.

ready ──start──▶ recording ──stop, time limit, stale topic, full disk──▶ kept
└──────discard, rerecord──▶ removed
"""

from __future__ import annotations

import datetime
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from smolvla_ros.bags.episode_notes import EpisodeNotes, notes_of
from smolvla_ros.bags.metadata import custom_data, read_metadata, relabel
from smolvla_ros.bags.topic import Topic
from smolvla_ros.recording.arrivals import NANOSECONDS, Arrivals
from smolvla_ros.recording.bag_thread import BagThread

DISK_PERIOD_S = 1.0


class NotReady(RuntimeError):
    """An episode cannot begin, or there is none. The message says why."""


class EndReason(Enum):
    """As RecordEpisode's REASON_*."""

    STOPPED = 0
    TIME_LIMIT = 1
    DISCARDED = 2
    STALE_TOPIC = 3
    STORAGE = 4


@dataclass(frozen=True)
class RecorderSettings:
    """max_age_s: of a required topic's newest message at the start. stale_limit_s: how long one may stay away.

    min_free_bytes: on the disk; with less an episode neither begins nor goes on. lead_s: what came so long before the
    start is in the bag too.
    """

    folder: Path
    max_age_s: float = 0.5
    stale_limit_s: float = 2.0
    min_free_bytes: int = 2**30
    lead_s: float = 0.5


@dataclass(frozen=True)
class EndedEpisode:
    """folder: None where it was removed. dropped: messages that were lost on the way or on the disk."""

    reason: EndReason
    message: str
    folder: Path | None
    duration_s: float
    messages: int
    dropped: int


class EpisodeRecorder:
    """State: the episode under way, what has come lately, the newest episode that was kept. Of one thread.

    topics: by full name. announce: tells the robot's graph what is being recorded, and returns the message's bytes.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        required: Sequence[str],
        latched: set[str],
        episode_topic: str,
        embodiment_text: str,
        settings: RecorderSettings,
        announce: Callable[[EpisodeNotes], bytes],
    ) -> None:
        self._topics, self._latched, self._episode_topic = topics, latched, episode_topic
        self._settings, self._embodiment, self._announce = settings, embodiment_text, announce
        self._arrivals = Arrivals(required)
        self._held: dict[str, bytes] = {}
        self._lead: deque[tuple[int, str, bytes]] = deque()
        self._bag: BagThread | None = None
        self._notes = EpisodeNotes("")
        self._begun_ns, self._limit_s, self._lost_before, self._disk_ns = 0, 0.0, 0, 0
        self.free_bytes = self._look_at_disk()
        self.newest: Path | None = None

    @property
    def recording(self) -> bool:
        return self._bag is not None

    @property
    def instruction(self) -> str:
        """Of the episode under way, or of the last one."""
        return self._notes.instruction

    def elapsed_s(self, now_ns: int) -> float:
        return (now_ns - self._begun_ns) / NANOSECONDS

    @property
    def messages(self) -> int:
        return self._bag.messages if self._bag else 0

    @property
    def dropped(self) -> int:
        """Of the episode under way."""
        return self._arrivals.lost - self._lost_before + self._bag.dropped if self._bag else 0

    def stale(self, now_ns: int) -> list[str]:
        return self._arrivals.stale(now_ns, self._settings.max_age_s)

    def may_wait(self, asked_ns: int, now_ns: int) -> bool:
        """Whether an episode that was to begin at asked_ns loses nothing by waiting for topics that are not fresh yet:
        the bag holds what came `lead_s` before its start.
        """
        return now_ns - asked_ns < self._settings.lead_s * NANOSECONDS and bool(self.stale(now_ns))

    def on_message(self, topic: str, arrival_ns: int, stamp_ns: int, data: bytes, sequence: int | None) -> None:
        """stamp_ns: of the header, or the arrival where there is none. sequence: see Arrivals.note."""
        self._arrivals.note(topic, stamp_ns, sequence)
        if topic in self._latched:
            self._held[topic] = data
        if self._bag is not None:
            self._bag.put(topic, arrival_ns, data)
            return
        self._lead.append((arrival_ns, topic, data))
        while self._lead and arrival_ns - self._lead[0][0] > self._settings.lead_s * NANOSECONDS:
            self._lead.popleft()

    def start(self, instruction: str, note: str, time_limit_s: float, now_ns: int) -> Path:
        """The folder of the bag. time_limit_s 0: none. Raises NotReady, BagError, OSError."""
        if self._bag is not None:
            raise NotReady(f"expected no episode under way, found {self._bag.folder}; stop or discard it first")
        self._require_ready(instruction, now_ns)
        notes = EpisodeNotes(instruction, self._embodiment, None, note)
        self._bag = BagThread(self._new_folder(now_ns), notes.to_texts(), tuple(self._topics.values()))
        self._notes, self._begun_ns, self._limit_s = notes, now_ns, time_limit_s
        self._disk_ns, self._lost_before = now_ns, self._arrivals.lost
        first_ns = self._lead[0][0] if self._lead else now_ns
        self._bag.put(self._episode_topic, first_ns, self._announce(notes))
        for topic, data in self._held.items():
            self._bag.put(topic, first_ns, data)
        for arrival_ns, topic, data in self._lead:
            if topic not in self._latched:
                self._bag.put(topic, arrival_ns, data)
        self._lead.clear()
        return self._bag.folder

    def _require_ready(self, instruction: str, now_ns: int) -> None:
        if not instruction.strip():
            raise NotReady("expected an instruction, found none; say what is done in this episode")
        if stale := self.stale(now_ns):
            raise NotReady(
                f"expected messages of the last {self._settings.max_age_s:g} s on every topic of the embodiment file; "
                f"{'; '.join(stale)}; start what publishes there"
            )
        self.free_bytes = self._look_at_disk()
        if self.free_bytes < self._settings.min_free_bytes:
            raise NotReady(self._no_room())

    def tick(self, now_ns: int) -> EndedEpisode | None:
        """Ends the episode where it is time to."""
        if self._bag is None:
            return None
        if self._bag.failure is not None:
            return self._end(EndReason.STORAGE, f"the disk failed: {self._bag.failure.strerror}")
        if self._limit_s and self.elapsed_s(now_ns) >= self._limit_s:
            return self._end(EndReason.TIME_LIMIT, f"the time limit of {self._limit_s:g} s is over")
        if stale := self._arrivals.stale(now_ns, self._settings.stale_limit_s):
            return self._end(EndReason.STALE_TOPIC, "; ".join(stale))
        if now_ns - self._disk_ns > DISK_PERIOD_S * NANOSECONDS:
            self._disk_ns, self.free_bytes = now_ns, self._look_at_disk()
            if self.free_bytes < self._settings.min_free_bytes:
                return self._end(EndReason.STORAGE, self._no_room())
        return None

    def stop(self, message: str = "stopped") -> EndedEpisode:
        """Keeps the episode. Raises NotReady where there is none."""
        return self._end(EndReason.STOPPED, message)

    def discard(self) -> EndedEpisode | None:
        """Removes the episode under way, else the newest one, for which None is returned. Raises NotReady."""
        if self._bag is not None:
            return self._end(EndReason.DISCARDED, "discarded")
        if self.newest is None:
            raise NotReady("expected an episode of this session, found none; nothing was removed")
        shutil.rmtree(self.newest)
        self.newest = None
        return None

    def discard_for_another(self, now_ns: int) -> EndedEpisode | None:
        """Discards, where an episode can begin at once. Raises NotReady before anything is removed."""
        self._require_ready(self.instruction, now_ns)
        return self.discard()

    def label(self, succeeded: bool, note: str) -> Path:
        """The operator's word on the episode under way, or on the newest. Raises NotReady, BagError, OSError."""
        if self._bag is not None:
            self._notes = self._notes.labelled(succeeded, note)
            self._announce(self._notes)
            return self._bag.folder
        if self.newest is None:
            raise NotReady("expected an episode of this session, found none; record one first")
        known = notes_of(custom_data(read_metadata(self.newest))) or self._notes
        self._notes = known.labelled(succeeded, note)
        relabel(self.newest, self._notes.to_texts())
        self._announce(self._notes)
        return self.newest

    def _end(self, reason: EndReason, message: str) -> EndedEpisode:
        if self._bag is None:
            raise NotReady("expected an episode under way, found none; start one first")
        bag = self._bag
        bag.close(self._notes.to_texts())
        if bag.failure is not None and reason != EndReason.DISCARDED:
            reason = EndReason.STORAGE
            message = (
                f"the disk failed: {bag.failure.strerror}; what had been written until then is kept; make room, then "
                f"see what is left: smolvla dataset repair-bag {bag.folder}"
            )
        ended = EndedEpisode(reason, message, bag.folder, bag.duration_s, bag.messages, self.dropped)
        self._bag = None
        if reason == EndReason.DISCARDED:
            shutil.rmtree(bag.folder)
            return EndedEpisode(reason, message, None, ended.duration_s, ended.messages, ended.dropped)
        self.newest = bag.folder
        return ended

    def _new_folder(self, now_ns: int) -> Path:
        when = datetime.datetime.fromtimestamp(now_ns / NANOSECONDS)
        name = when.strftime("episode_%Y-%m-%d_%H-%M-%S")
        folder, number = self._settings.folder / name, 1
        while folder.exists():
            folder, number = self._settings.folder / f"{name}_{number}", number + 1
        return folder

    def _look_at_disk(self) -> int:
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._settings.folder).free

    def _no_room(self) -> str:
        expected, found = self._settings.min_free_bytes / 2**30, self.free_bytes / 2**30
        return (
            f"{self._settings.folder}: expected {expected:.1f} GiB of free disk, found {found:.1f}; make room, or "
            "record elsewhere"
        )
