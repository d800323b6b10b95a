"""Whether the arm is in sight: joint states that are numbers, of this arm and of now."""

from __future__ import annotations

import numpy as np

# an arm rests that has stayed this close to one place for this long
REST_RAD = 0.02
REST_S = 0.2


class JointWatch:
    """State: the newest joint state, since when the arm has been in one place, and whether it is out of sight."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.measured: np.ndarray | None = None
        self.blind = False
        self._measured_s = -np.inf
        self._unusable = ""
        self._rest: np.ndarray | None = None
        self._rest_since_s = 0.0

    def take(self, stamp_s: float, positions: np.ndarray) -> bool:
        """Positions (joints,); False where they are no numbers."""
        if not np.isfinite(positions).all():
            self._unusable = "joint states: expected numbers, found a position that is none"
            return False
        self._unusable = ""
        self.measured, self._measured_s = positions, stamp_s
        if self._rest is None or np.abs(positions - self._rest).max() > REST_RAD:
            self._rest, self._rest_since_s = positions, stamp_s
        return True

    def unusable(self, why: str) -> None:
        """Kept for the reason of a fault, should no usable one come in time."""
        self._unusable = why

    def fresh(self, now_s: float) -> bool:
        return abs(now_s - self._measured_s) <= self.timeout_s

    def look(self, now_s: float) -> bool:
        """True when the arm has just come back into sight, which it does at rest: a start from a place that it is just
        passing would be a jump back.
        """
        if not self.fresh(now_s):
            self.blind, self._rest = True, None
        elif self.blind and self._measured_s - self._rest_since_s >= REST_S:
            self.blind = False
            return True
        return False

    def blindness(self, now_s: float) -> str:
        """Why the arm is out of sight."""
        if self._unusable:
            return self._unusable
        if self.measured is None:
            return "no joint states have come: is the driver running?"
        if self.fresh(now_s):
            return "waiting until the arm rests"
        age_s = now_s - self._measured_s
        expected = f"expected one of the last {self.timeout_s:g} s"
        if age_s < 0:
            return (
                f"joint states are of the future: {expected}, the newest is {-age_s:.2f} s ahead: do the clocks agree?"
            )
        return f"joint states are stale: {expected}, the newest is {age_s:.2f} s old: is the driver running?"
