"""Collisions, an option of the safety filter. Of a motion that would drive the arm into the table, an obstacle or
itself only the beginning is sent, so much of it that braking after it stays clear as well.

What touches, and how deep, is told by a function of joint positions (collision/arm_bodies.py). An arm that is in
something already, because it was moved there by hand or the obstacle is not quite where it was said to be, may leave it
or stay; it may not go deeper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.spline import hermite
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.execution.within_limits import LimitedMotion

Pair = tuple[str, str]
Depths = Callable[[np.ndarray], Mapping[Pair, float]]
# poses looked at are no farther apart in any joint: about 1 cm at the SO-100's fingers
SAMPLE_RAD = 0.03
TOLERANCE_M = 0.005
# beyond the depth at the start; less is rounding
DEEPER_M = 0.001


@dataclass(frozen=True)
class Collision:
    """The first place where a motion is deeper in something than it may be. after_s: the motion's start."""

    pair: Pair
    depth_m: float
    after_s: float


@dataclass(frozen=True)
class CollisionCheck:
    """tolerance_m: how deep the arm may be commanded into anything. A servo's goal lies a little in the table whenever
    fingers press on it, and demonstrations are full of that.
    """

    depths: Depths
    tolerance_m: float

    def first(self, trajectory: Trajectory) -> Collision | None:
        """Where the trajectory, its braking included, is too deep for the first time."""
        times_s = sample_times(trajectory)
        poses, _ = hermite(trajectory.times_s, trajectory.positions, trajectory.velocities, times_s)
        at_start: Mapping[Pair, float] = {}
        for k, (time_s, pose) in enumerate(zip(times_s.tolist(), poses, strict=True)):
            depths = self.depths(pose)
            if k == 0:
                at_start = depths
                continue
            for pair, depth_m in depths.items():
                if depth_m > max(self.tolerance_m, at_start.get(pair, 0.0) + DEEPER_M):
                    return Collision(pair, depth_m, time_s - float(times_s[0]))
        return None

    def told(self, collision: Collision) -> str:
        """For the operator."""
        return (
            f"collision: {' and '.join(collision.pair)} would be {1e3 * collision.depth_m:.0f} mm in each other "
            f"after {collision.after_s:.2f} s; at most {1e3 * self.tolerance_m:g} mm are taken "
            "(parameter collision_tolerance)"
        )


@dataclass(frozen=True)
class ClearMotion:
    """The motion through the first `rows` rows, None without any, and what it would have met after these."""

    motion: LimitedMotion | None
    rows: int
    collision: Collision | None


def sample_times(trajectory: Trajectory) -> np.ndarray:
    """(samples,) s: every knot, and between two knots so many that no joint moves more than SAMPLE_RAD in one step."""
    intervals_s = np.diff(trajectory.times_s)
    first, last = trajectory.velocities[:-1] * intervals_s[:, None], trajectory.velocities[1:] * intervals_s[:, None]
    # a cubic's velocity is a parabola, and inside the hull of these three
    middle = 3 * np.diff(trajectory.positions, axis=0) - first - last
    travel = np.maximum(np.abs(middle), np.maximum(np.abs(first), np.abs(last)))
    counts = np.maximum(np.ceil(travel.max(axis=1) / SAMPLE_RAD), 1.0).astype(int)
    share = np.concatenate([np.arange(count) / count for count in counts.tolist()])
    inner_s = np.repeat(trajectory.times_s[:-1], counts) + share * np.repeat(intervals_s, counts)
    return np.append(inner_s, trajectory.times_s[-1])


def clear_motion(plan: Callable[[int], LimitedMotion], times_s: np.ndarray, check: CollisionCheck) -> ClearMotion:
    """Through as many of the rows for times_s (rows,) as stay clear. `plan` makes the motion through the first n."""
    rows, fewer = len(times_s), 1
    motion = plan(rows)
    first = found = check.first(motion.trajectory)
    while found is not None:
        # a collision behind the last row is met while braking: rows before it have to go
        before = int(np.searchsorted(times_s, motion.trajectory.times_s[0] + found.after_s))
        rows, fewer = min(before, rows - fewer), 2 * fewer
        if rows <= 0:
            return ClearMotion(None, 0, first)
        motion = plan(rows)
        found = check.first(motion.trajectory)
    return ClearMotion(motion, rows, first)
