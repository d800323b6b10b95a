"""Rows to a trajectory that joint_trajectory_controller follows smoothly.

Jazzy's controller joins points that have positions alone by straight lines, points with velocities by cubics. So each
knot gets a velocity, and the first knot is the state in motion: position and velocity are continuous over chunk
borders. The last velocity is zero, as the controller demands; a trajectory that nobody replaces is itself a stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.safety import MotionLimits

SHORTEST_STOP_S = 0.05


@dataclass(frozen=True)
class Trajectory:
    """Knots at times_s (knots,), increasing, with positions and velocities (knots, joints): rad, rad/s."""

    times_s: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray

    def sample(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity (joints,) at a time; before the first and after the last knot it rests there."""
        if time_s <= self.times_s[0]:
            return self.positions[0], self.velocities[0]
        if time_s >= self.times_s[-1]:
            return self.positions[-1], np.zeros_like(self.velocities[-1])
        k = int(np.searchsorted(self.times_s, time_s, side="right")) - 1
        h = self.times_s[k + 1] - self.times_s[k]
        u = (time_s - self.times_s[k]) / h
        p0, p1, v0, v1 = self.positions[k], self.positions[k + 1], self.velocities[k] * h, self.velocities[k + 1] * h
        a, b = 2 * (p0 - p1) + v0 + v1, 3 * (p1 - p0) - 2 * v0 - v1
        return p0 + u * (v0 + u * (b + u * a)), (v0 + u * (2 * b + 3 * u * a)) / h


def through_rows(
    start_s: float, position: np.ndarray, velocity: np.ndarray, times_s: np.ndarray, rows: np.ndarray
) -> Trajectory:
    """From a state in motion through rows (rows, joints), coming to rest at the last.

    Inner velocities are the derivative of the parabola through a row and its two neighbours.
    """
    times = np.concatenate([[start_s], times_s])
    positions = np.concatenate([position[None], rows])
    velocities = np.zeros_like(positions)
    velocities[0] = velocity
    if len(times) > 2:
        interval = np.diff(times)[:, None]
        slope = np.diff(positions, axis=0) / interval
        velocities[1:-1] = (slope[:-1] * interval[1:] + slope[1:] * interval[:-1]) / (interval[:-1] + interval[1:])
    return Trajectory(times, positions, velocities)


def stop_from(start_s: float, position: np.ndarray, velocity: np.ndarray, limits: MotionLimits) -> Trajectory:
    """The hold: from a state in motion to rest at the limits' acceleration, inside the position limits."""
    duration_s = max(SHORTEST_STOP_S, float(np.max(np.abs(velocity) / limits.acceleration)))
    rest = np.clip(position + 0.5 * velocity * duration_s, limits.lower, limits.upper)
    return Trajectory(
        np.array([start_s, start_s + duration_s]),
        np.stack([position, rest]),
        np.stack([velocity, np.zeros_like(velocity)]),
    )
