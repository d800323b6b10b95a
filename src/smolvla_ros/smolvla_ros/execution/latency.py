"""Measured latency: a window that forgets, and its quantiles."""

from __future__ import annotations

from collections import deque

import numpy as np

HALF_LIFE = 20
"""After so many chunks a measurement counts half: a spike at start is soon out of a high quantile."""


class LatencyWindow:
    """State: the last `size` measurements, s. half_life: after how many more a measurement counts half; inf: all count
    alike.
    """

    def __init__(self, size: int = 100, half_life: float = HALF_LIFE) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self._half_life = half_life

    def add(self, latency_s: float) -> None:
        self._values.append(latency_s)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def last_s(self) -> float:
        return self._values[-1] if self._values else 0.0

    def quantile_s(self, q: float) -> float:
        """The least measurement that a share q of them, by what they count, does not exceed; 0 before the first."""
        if not self._values:
            return 0.0
        values = np.array(self._values)
        order = np.argsort(values)
        counts = 0.5 ** (np.arange(len(values))[::-1] / self._half_life)
        share = np.cumsum(counts[order]) / counts.sum()
        return float(values[order][min(int(np.searchsorted(share, q - 1e-9)), len(values) - 1)])
