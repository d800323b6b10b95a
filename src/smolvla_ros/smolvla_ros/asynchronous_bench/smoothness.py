"""How smooth the motion was: within chunks and where one takes over from another. SI units."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from smolvla_ros.asynchronous_bench.closed_loop import Recorded
from smolvla_ros.execution.trajectory import Trajectory

BORDER_ROWS = 2
# the interior that borders are compared with is next to them: the same part of the motion
BESIDE_ROWS = 4
QUANTILE = 0.95
MOVING_RAD_S = 0.02
JITTER_WINDOW_S = 0.2


def border_and_interior(recorded: Recorded, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Highest acceleration of a joint at each control step of the two rows' time after a chunk took over from another,
    and at those of the four rows before and after, rad/s^2. A task's first chunk takes over from none.
    """
    times, accelerations = np.array(recorded.times_s), np.abs(np.array(recorded.accelerations)).max(axis=1)
    starts = np.array([trajectory.times_s[0] for trajectory in recorded.trajectories])
    if not len(starts):
        return np.empty(0), np.empty(0)
    before = np.searchsorted(starts, times, side="right") - 1
    since = times - starts[np.maximum(before, 0)]
    after_takeover = since < BORDER_ROWS * step_s
    border = (before >= 1) & after_takeover
    until = np.append(starts, np.inf)[before + 1] - times
    beside = (since < (BORDER_ROWS + BESIDE_ROWS) * step_s) | (until < BESIDE_ROWS * step_s)
    interior = (before >= 0) & ~after_takeover & beside & (np.array(recorded.queued) > 0)
    return accelerations[border], accelerations[interior]


def border_ratio(runs: Sequence[Recorded], step_s: float) -> float:
    """The root mean square of the acceleration at chunk borders over that beside them."""
    pairs = [border_and_interior(recorded, step_s) for recorded in runs]
    border, interior = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    return float(np.sqrt(np.mean(border**2) / np.mean(interior**2)))


def seams(trajectories: Sequence[Trajectory]) -> tuple[np.ndarray, np.ndarray]:
    """Jumps of velocity (C1) and acceleration (C2) where each trajectory takes over from the one before, (seams,)."""
    velocity, acceleration = [], []
    for old, new in pairwise(trajectories):
        start_s = float(new.times_s[0])
        velocity.append(np.abs(new.velocities[0] - old.sample(start_s)[1]).max())
        acceleration.append(np.abs(_acceleration(new, start_s) - _acceleration(old, start_s)).max())
    return np.array(velocity), np.array(acceleration)


def knot_jumps(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """Jumps of acceleration at the knots inside trajectories, as far as these were followed, (knots,)."""
    found = [np.empty(0)]
    for trajectory, following in pairwise(trajectories):
        starts, ends = _knot_accelerations(trajectory)
        followed = trajectory.times_s[1:-1] < following.times_s[0]
        found.append(np.abs(starts[1:] - ends[:-1]).max(axis=1)[followed])
    return np.concatenate(found)


def jerk(recorded: Recorded) -> float:
    """Root mean square over joints and moving time of the commanded jerk, rad/s^3."""
    moving = _moving(recorded)[1:]
    change = np.diff(np.array(recorded.accelerations), axis=0) / np.diff(recorded.times_s)[:, None]
    return float(np.sqrt(np.mean(change[moving] ** 2)))


def jitter(recorded: Recorded) -> float:
    """Root mean square of the measured velocity less its mean over 0.2 s, rad/s: how the arm trembles."""
    times = np.array(recorded.times_s)
    velocity = np.gradient(np.array(recorded.measured), times, axis=0)
    window = max(1, round(JITTER_WINDOW_S / (times[1] - times[0])))
    kernel = np.full(window, 1 / window)
    smooth = np.stack([np.convolve(joint, kernel, mode="same") for joint in velocity.T], axis=1)
    return float(np.sqrt(np.mean((velocity - smooth)[_moving(recorded)] ** 2)))


def _moving(recorded: Recorded) -> np.ndarray:
    velocity = np.gradient(np.array(recorded.goals), recorded.times_s, axis=0)
    return np.abs(velocity).max(axis=1) > MOVING_RAD_S


def _knot_accelerations(trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """At the start and the end of each cubic, (cubics, joints)."""
    h = np.diff(trajectory.times_s)[:, None]
    slope = np.diff(trajectory.positions, axis=0) / h
    v0, v1 = trajectory.velocities[:-1], trajectory.velocities[1:]
    return (6 * slope - 4 * v0 - 2 * v1) / h, (2 * v0 + 4 * v1 - 6 * slope) / h


def _acceleration(trajectory: Trajectory, time_s: float) -> np.ndarray:
    """(joints,); zero after the end."""
    if time_s >= trajectory.end_s:
        return np.zeros(trajectory.positions.shape[1])
    k = max(0, int(np.searchsorted(trajectory.times_s, time_s, side="right")) - 1)
    starts, ends = _knot_accelerations(trajectory)
    share = (time_s - trajectory.times_s[k]) / (trajectory.times_s[k + 1] - trajectory.times_s[k])
    return starts[k] + share * (ends[k] - starts[k])
