"""When to ask for a chunk: threshold g of the paper (arXiv 2506.01844, asynchronous inference), one request in flight.

A chunk is asked for when the rows left are at most g times the chunk's horizon. g = 0 waits until the queue is dry (the
sequential baseline), g = 1 asks all the time. Which g keeps the queue from running dry: threshold.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """Values of ChunkRequest.reason."""

    START = 0
    THRESHOLD = 1
    STARVED = 2
    INSTRUCTION = 3
    TIMEOUT = 4


@dataclass
class RequestGate:
    """State: the request in flight, how many before it were given up in a row (`unanswered`), and why the next one
    may have to be made at once.

    timeout_s: a request older than this is given up. retry_s: pause after an answer that held no rows.
    """

    threshold: float
    timeout_s: float
    retry_s: float = 0.2

    def __post_init__(self) -> None:
        self._last_id = 0
        self.restart()

    def restart(self) -> None:
        """A new task: what is in flight no longer counts, the next request opens the task."""
        self.first_id = self._last_id + 1
        self.sent = self.timed_out = self.unanswered = 0
        self.in_flight: int | None = None
        self._sent_s = self._not_before_s = float("-inf")
        self._pending: Reason | None = Reason.START

    def ask_now(self, reason: Reason) -> None:
        """The next request is made at once for this reason, whatever is queued or in flight."""
        self._pending = reason
        self.in_flight = None
        self._not_before_s = float("-inf")

    def answered(self, request_id: int, now_s: float, with_rows: bool) -> None:
        """An answer came. One to an older request only shows that somebody is there."""
        self.unanswered = 0
        if request_id == self.in_flight:
            self.in_flight = None
            if not with_rows:
                self.pause(now_s)

    def pause(self, now_s: float) -> None:
        """What came is of no use: the next request waits a little."""
        self._not_before_s = now_s + self.retry_s

    def next_request(
        self, now_s: float, queued: int, horizon: int, nothing_new: bool = False
    ) -> tuple[int, Reason] | None:
        """Id and reason of a request to send now, which is then in flight; None where none is due.

        Where there is nothing new to see the threshold alone is no reason; a dry queue is.
        """
        if self.in_flight is not None:
            if now_s - self._sent_s < self.timeout_s:
                return None
            self.in_flight = None
            self.timed_out += 1
            self.unanswered += 1
            self._pending = self._pending or Reason.TIMEOUT
        if now_s < self._not_before_s:
            return None
        reason = self._pending
        if reason is None:
            if queued == 0:
                reason = Reason.STARVED
            elif queued <= self.threshold * horizon and not nothing_new:
                reason = Reason.THRESHOLD
            else:
                return None
        self._pending = None
        self._last_id += 1
        self.in_flight, self._sent_s = self._last_id, now_s
        self.sent += 1
        return self._last_id, reason
