"""What the controller has been told to do: the state in motion from which whatever comes next has to go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.trajectory import Trajectory, stop_from
from smolvla_ros.execution.within_limits import LimitedMotion, motion_within

# an arm at rest comes closer than this to where it was some time before, unless somebody else moved it
TOLERANCE_RAD = 0.1
SETTLE_S = 0.5
SHORTEST_INTERVAL_S = 1e-3
STILL_RAD = 0.02
# the last goal is sent more than once: topics lose messages
GOAL_REPEATED_S = 0.2


class CommandedMotion:
    """State: the trajectory sent last, whether it was a hold, and where the arm came to rest after it.

    The arm goes on from where it was told to be, not from where it is: under load it hangs off its goal, and a gripper
    closed on an object stays open; a start from there would let go. Only an arm that somebody else moved, by MoveIt or
    by hand, goes on from where it is.
    """

    def __init__(self, limits: MotionLimits) -> None:
        self._limits = limits
        self._trajectory: Trajectory | None = None
        self._settled: np.ndarray | None = None
        self.holding = True

    def observe(self, stamp_s: float, measured: np.ndarray) -> None:
        """Remembers where the arm comes to rest after a trajectory."""
        if self._settled is None and self._trajectory and stamp_s > self._trajectory.end_s + SETTLE_S:
            self._settled = measured

    def state(self, now_s: float, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity (joints,) that the arm has been told to have now."""
        if self._trajectory is None or (self._settled is not None and _apart(self._settled, measured)):
            return measured, np.zeros_like(measured)
        return self._trajectory.sample(now_s)

    def at_rest_since(self, time_s: float) -> bool:
        """Whether what was sent last had come to its end by then."""
        return self._trajectory is None or self._trajectory.end_s <= time_s

    def still_since(self, time_s: float, now_s: float) -> bool:
        """Whether the arm has been told to stay where it is from then to now."""
        if self._trajectory is None:
            return True
        times_s = np.append(self._trajectory.times_s, [time_s, now_s])
        times_s = times_s[(times_s >= time_s) & (times_s <= now_s)]
        return moves_little(self._trajectory.positions_at(times_s))

    def goal(self, now_s: float) -> np.ndarray | None:
        """Position (joints,) for a controller that takes positions alone, and each only for now; None while nothing is
        under way.
        """
        if self._trajectory is None or now_s > self._trajectory.end_s + GOAL_REPEATED_S:
            return None
        return self._trajectory.sample(now_s)[0]

    def plan(
        self, now_s: float, measured: np.ndarray, times_s: np.ndarray, rows: np.ndarray, step_s: float
    ) -> LimitedMotion:
        """Through rows (rows, joints), a step apart, as near as the limits allow."""
        # a row closer than half a step would ask for the whole change at once: the ones after it do
        times_s, rows, far = times_s.copy(), rows.copy(), times_s - now_s > 0.5 * step_s
        far[-1], times_s[-1] = True, max(times_s[-1], now_s + SHORTEST_INTERVAL_S)
        motion = motion_within(now_s, *self.state(now_s, measured), times_s[far], rows[far], self._limits)
        rows[far] = motion.rows
        return replace(motion, rows=rows)

    def follow(self, motion: LimitedMotion) -> None:
        """A planned motion goes to the controller."""
        self.holding = False
        self._send(motion.trajectory)

    def hold(self, now_s: float, measured: np.ndarray) -> Trajectory:
        self.holding = True
        return self._send(stop_from(now_s, *self.state(now_s, measured), self._limits))

    def forget_unless_followed(self, now_s: float, measured: np.ndarray) -> None:
        """After a time in which nobody looked: an arm that is not where it should be starts from where it is."""
        if self._trajectory is not None and _apart(self._trajectory.sample(now_s)[0], measured):
            self.forget()

    def forget(self) -> None:
        self._trajectory = None

    def _send(self, trajectory: Trajectory) -> Trajectory:
        self._trajectory, self._settled = trajectory, None
        return trajectory


def moves_little(rows: np.ndarray) -> bool:
    """Whether rows (rows, joints) are one place as far as a task is concerned; none are."""
    return not len(rows) or bool(np.ptp(rows, axis=0).max() < STILL_RAD)


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max() > TOLERANCE_RAD)
