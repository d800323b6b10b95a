"""Measured latency: a window that forgets, and its quantiles."""

from __future__ import annotations

from collections import deque

import numpy as np


class LatencyWindow:
    """The last `size` measurements, s. A spike at start is forgotten after `size` chunks."""

    def __init__(self, size: int = 100) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, latency_s: float) -> None:
        self._values.append(latency_s)

    def clear(self) -> None:
        self._values.clear()

    @property
    def last_s(self) -> float:
        return self._values[-1] if self._values else 0.0

    def quantile_s(self, q: float) -> float:
        """0 before the first measurement."""
        return float(np.quantile(np.array(self._values), q)) if self._values else 0.0
