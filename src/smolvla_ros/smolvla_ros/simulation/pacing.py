"""Simulated time kept level with the wall clock: how many physics steps are due now, how often images come."""

from __future__ import annotations

from collections import deque


class Pace:
    """State: the wall time up to which the physics has been stepped.

    After a stall the physics catches up by at most `catch_up_s`; what is more is given up, so that a stopped laptop
    does not see an hour pass in a burst. real_time_factor is that of the last second.
    """

    def __init__(self, timestep_s: float, now_s: float, catch_up_s: float = 0.1) -> None:
        self._timestep_s, self._catch_up_s = timestep_s, catch_up_s
        self._stepped_to_s = self._window_start_s = now_s
        self._window_steps = 0
        self.real_time_factor = 1.0

    def steps_due(self, now_s: float) -> int:
        """Steps to take so that simulated time is level with `now_s`; they count as taken."""
        self._stepped_to_s = max(self._stepped_to_s, now_s - self._catch_up_s)
        due = max(0, int((now_s - self._stepped_to_s) / self._timestep_s))
        self._stepped_to_s += due * self._timestep_s
        self._window_steps += due
        if now_s - self._window_start_s >= 1.0:
            self.real_time_factor = self._window_steps * self._timestep_s / (now_s - self._window_start_s)
            self._window_start_s, self._window_steps = now_s, 0
        return due


class Rate:
    """How often something happens, in Hz over the last `window_s`; 0 once it happens no more. State: when it did."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._times_s: deque[float] = deque()

    def happened(self, now_s: float) -> None:
        self._times_s.append(now_s)

    def hz(self, now_s: float) -> float:
        while self._times_s and self._times_s[0] < now_s - self._window_s:
            self._times_s.popleft()
        if len(self._times_s) < 2:
            return 0.0
        return (len(self._times_s) - 1) / (self._times_s[-1] - self._times_s[0])
