"""How far the clock of the policy's machine is from this one, as the stamps of requests and their answers tell.

A request is sent at t1 of this clock and received at t2 of the other; its answer leaves at t3 of the other and comes at
t4 of this one. Nothing arrives before it is sent, so that the other clock is ahead by at most t2 - t1 and by at least
t3 - t4. What all exchanges allow is the estimate; the quickest ones say most, as in NTP (RFC 5905, section 10), whose
offset is the middle of these bounds for a single exchange.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

REMEDY = "run chrony (or another NTP client) on both machines"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, s: t1 and t4 by this clock, t2 and t3 by the other."""

    sent_s: float
    received_s: float
    answered_s: float
    arrived_s: float

    @property
    def network_s(self) -> float:
        """Time spent on the way, both ways: free of the offset."""
        return (self.arrived_s - self.sent_s) - (self.answered_s - self.received_s)


class ClockOffset:
    """State: the last `size` exchanges. Before the first, offset and error are 0."""

    def __init__(self, size: int = 32) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=size)
        self._lower_s = self._upper_s = 0.0
        self.network_s = 0.0

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> bool:
        """Takes an exchange in. False where it is none: it ended before it began by one of the clocks, so that one was
        set meanwhile.

        Where it contradicts those before, a clock was set between them, and they no longer count.
        """
        if exchange.arrived_s < exchange.sent_s or exchange.answered_s < exchange.received_s or exchange.network_s < 0:
            return False
        self._exchanges.append(exchange)
        if not self._bound():
            self._exchanges.clear()
            self._exchanges.append(exchange)
            self._bound()
        self.network_s = exchange.network_s
        return True

    def _bound(self) -> bool:
        """Whether one offset satisfies all exchanges."""
        self._upper_s = min(exchange.received_s - exchange.sent_s for exchange in self._exchanges)
        self._lower_s = max(exchange.answered_s - exchange.arrived_s for exchange in self._exchanges)
        return self._lower_s <= self._upper_s

    @property
    def offset_s(self) -> float:
        """How far the other clock is ahead."""
        return (self._lower_s + self._upper_s) / 2

    @property
    def error_s(self) -> float:
        """The true offset is no farther from `offset_s` than this."""
        return (self._upper_s - self._lower_s) / 2

    def warning(self, tolerance_s: float) -> str:
        """For the operator, where the clocks surely differ by more than the tolerance; empty where not."""
        if abs(self.offset_s) - self.error_s <= tolerance_s:
            return ""
        side = "ahead of" if self.offset_s > 0 else "behind"
        return (
            f"the policy's clock is {side} this machine's: {abs(self.offset_s):.2f} s (+- {self.error_s:.2f} s); "
            f"chunks land where they should, but logs and recordings of the two do not fit together: {REMEDY}"
        )
