"""How far the arm is behind a motion that was planned by the clock, by what is queued or by where it stands."""

from __future__ import annotations

import numpy as np

from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.scripted_motion import Motion
from smolvla_ros.simulation.kinematics import GRIPPER

LONGEST_S = 6.0
# an arm in motion is so far behind its goals
SERVO_LAG_S = 0.12
GRID_PER_ROW = 8
# queued rows are the plan's own; a measured arm hangs a little off it
SAME_ROWS_RAD, SAME_PLACE_RAD = 0.01, 0.06
# rests are the same at any time: the least delay that explains what is seen nearly as well as the best
NEARLY_RAD = 5e-4


def behind_s(motion: Motion, observation: Observation, step_s: float) -> float:
    """Seconds by which the motion has to be put off so that the arm is on it; 0 where it is not on it at any time."""
    if observation.committed is not None and len(observation.committed):
        times_s = observation.committed_start_s + step_s * np.arange(len(observation.committed))
        rows, joints, tolerance_rad = observation.committed, slice(None), SAME_ROWS_RAD
        planned = times_s > motion.start_s
        times_s, rows = times_s[planned], rows[planned]
    else:
        times_s, rows = np.array([observation.stamp_s]), observation.positions[None]
        joints, tolerance_rad = slice(0, GRIPPER), SAME_PLACE_RAD
    if not len(rows) or times_s[0] <= motion.start_s:
        return 0.0
    grid_s = step_s / GRID_PER_ROW
    most = int(min(LONGEST_S, times_s[0] - motion.start_s) / grid_s)
    first_s = times_s[0] - most * grid_s
    plan = motion.positions(first_s + grid_s * np.arange(most + GRID_PER_ROW * (len(rows) - 1) + 1))

    def off_rad(delay: int) -> float:
        planned_rows = plan[most - delay :: GRID_PER_ROW][: len(rows), joints]
        return float(np.sqrt(np.mean((planned_rows - rows[:, joints]) ** 2)))

    if off_rad(0) <= NEARLY_RAD:
        return 0.0
    off = np.array([off_rad(delay) for delay in range(most + 1)])
    if off.min() > tolerance_rad:
        return 0.0
    late_s = _least(off) * grid_s
    return late_s if len(rows) > 1 or late_s > SERVO_LAG_S else 0.0


def _least(off: np.ndarray) -> float:
    """Where the error is least, between the grid's delays: its square is a parabola near there."""
    delay = int(np.argmax(off <= off.min() + NEARLY_RAD))
    while delay + 1 < len(off) and off[delay + 1] < off[delay]:
        delay += 1
    if not 0 < delay < len(off) - 1:
        return float(delay)
    before, here, after = off[delay - 1 : delay + 2] ** 2
    bend = before - 2 * here + after
    return delay + float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend > 0 else float(delay)
