"""How soon chunks come, and what follows: when to ask for the next, how fast rows run, what the operator is told."""

from __future__ import annotations

from smolvla_ros.execution.latency import LatencyWindow
from smolvla_ros.execution.pace import Pace, pace_for, pace_warning
from smolvla_ros.execution.settings import SYNC, ExecutorSettings
from smolvla_ros.execution.threshold import safe_threshold, starvation_warning

# fewer latencies say nothing: a policy's first chunk is often its slowest
ENOUGH_LATENCIES = 5


class ChunkTiming:
    """State: latencies measured, the pace of the rows, the threshold g, and what to tell of them."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self.latency, self.pace, self.warning = LatencyWindow(), Pace(), ""
        self.threshold = settings.threshold
        self._settings = settings

    def use(self, settings: ExecutorSettings) -> None:
        """Other settings from now on."""
        self._settings, self.threshold = settings, settings.threshold

    def judge(self, latency_s: float, rows: int, step_s: float) -> None:
        """After a chunk of so many rows, a step of the policy's apart, that came so late."""
        self.latency.add(latency_s)
        if self._settings.mode == SYNC:
            self.pace, self.warning = Pace(), ""
            return
        # the usual latency, not its high quantile: one late chunk is no reason to go slowly for a while
        usual = self.latency.quantile_s(0.5), rows, step_s
        self.pace = pace_for(*usual, self._settings.max_slowdown, self.pace)
        if len(self.latency) < ENOUGH_LATENCIES:
            return
        timing = self.expected_s, rows, step_s * self.pace.slowdown
        if self._settings.auto_threshold:
            self.threshold = safe_threshold(*timing)
        self.warning = pace_warning(*usual, self.pace) or starvation_warning(*timing, self.threshold)

    @property
    def expected_s(self) -> float:
        """What few chunks take longer than; 0 before the first."""
        return self.latency.quantile_s(self._settings.latency_quantile)

    @property
    def in_turns(self) -> bool:
        """Whether a chunk is asked for only when the queue is empty and the arm rests."""
        return self._settings.mode == SYNC or self.pace.in_turns
