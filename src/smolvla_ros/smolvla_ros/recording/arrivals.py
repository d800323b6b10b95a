"""What has come on each topic: how fresh it is, how much was lost on the way."""

from __future__ import annotations

from collections.abc import Iterable

NANOSECONDS = 1_000_000_000


class Arrivals:
    """State: of each topic the newest stamp and sequence number, and how many messages never came."""

    def __init__(self, required: Iterable[str]) -> None:
        self._stamps: dict[str, int | None] = dict.fromkeys(required)
        self._sequences: dict[str, int] = {}
        self.lost = 0

    def note(self, topic: str, stamp_ns: int, sequence: int | None = None) -> None:
        """sequence: the publisher's count, where it is the topic's only one. A smaller one is a new publisher's."""
        if topic in self._stamps:
            self._stamps[topic] = stamp_ns
        if sequence is not None:
            before = self._sequences.get(topic)
            if before is not None and sequence > before + 1:
                self.lost += sequence - before - 1
            self._sequences[topic] = sequence

    def stale(self, now_ns: int, max_age_s: float) -> list[str]:
        """Required topics without a message of the last max_age_s, each with what was found."""
        told = []
        for topic, stamp in self._stamps.items():
            if stamp is None:
                told.append(f"{topic}: nothing has come on it")
            elif abs(now_ns - stamp) > max_age_s * NANOSECONDS:
                told.append(f"{topic}: the newest is {(now_ns - stamp) / NANOSECONDS:.2f} s old")
        return told
