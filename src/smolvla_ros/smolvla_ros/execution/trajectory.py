"""Rows to a trajectory that joint_trajectory_controller follows smoothly.

Jazzy's controller joins points that have positions alone by straight lines, points with velocities by cubics. So each
knot gets the velocity with which these cubics are one spline, of continuous acceleration. The first knot is the state
in motion: position and velocity are continuous over chunk borders. After the last row the joints brake, as the
controller demands a velocity of zero at the end: a trajectory that nobody replaces is itself a smooth stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.spline import hermite, knot_velocities

SHORTEST_STOP_S = 0.05
BRAKE_TICK_S = 1e-4
AT_REST_RAD_S = 1e-6


@dataclass(frozen=True)
class Trajectory:
    """Knots at times_s (knots,), increasing, with positions and velocities (knots, joints): rad, rad/s."""

    times_s: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray

    @property
    def end_s(self) -> float:
        return float(self.times_s[-1])

    def sample(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity (joints,) at a time: the first knot's before it, at rest after the last."""
        if time_s <= self.times_s[0]:
            return self.positions[0], self.velocities[0]
        if time_s >= self.times_s[-1]:
            return self.positions[-1], np.zeros_like(self.velocities[-1])
        positions, velocities = hermite(self.times_s, self.positions, self.velocities, np.array([time_s]))
        return positions[0], velocities[0]

    def positions_at(self, times_s: np.ndarray) -> np.ndarray:
        """Positions (times, joints) at times (times,): the first knot's before it, the last's after it."""
        inside_s = np.clip(times_s, self.times_s[0], self.times_s[-1])
        return hermite(self.times_s, self.positions, self.velocities, inside_s)[0]


def through_rows(
    start_s: float,
    position: np.ndarray,
    velocity: np.ndarray,
    times_s: np.ndarray,
    rows: np.ndarray,
    limits: MotionLimits,
) -> Trajectory:
    """From a state in motion through rows (rows, joints) inside the limits, then to rest.

    Velocities are a C2 spline's, made smaller where its cubics would leave the position limits between two rows, or a
    row be passed faster than the velocity limit. The last is the derivative of the parabola through the last three.
    """
    times = np.concatenate([[start_s], times_s])
    positions = np.concatenate([position[None], rows])
    interval = np.diff(times)[:, None]
    slope = np.diff(positions, axis=0) / interval
    bend = (slope[-1] - slope[-2]) / (interval[-1] + interval[-2]) if len(rows) > 1 else np.zeros_like(velocity)
    velocities = knot_velocities(times, positions, velocity, slope[-1] + bend * interval[-1])
    # A cubic lies in the hull of its Bezier points, which are a third of the interval away along the velocities.
    above, below = 3 * (limits.upper - rows), 3 * (rows - limits.lower)
    after = np.concatenate([interval[1:], interval[-1:]])
    fastest = np.minimum(limits.velocity, np.minimum(above / after, below / interval))
    slowest = -np.minimum(limits.velocity, np.minimum(below / after, above / interval))
    velocities[1:] = np.clip(velocities[1:], slowest, fastest)
    if np.abs(velocities[-1]).max() <= AT_REST_RAD_S:
        velocities[-1] = 0.0
        return Trajectory(times, positions, velocities)
    stop = stop_from(times[-1], positions[-1], velocities[-1], limits)
    return Trajectory(
        np.concatenate([times, stop.times_s[1:]]),
        np.concatenate([positions, stop.positions[1:]]),
        np.concatenate([velocities, stop.velocities[1:]]),
    )


def stop_from(start_s: float, position: np.ndarray, velocity: np.ndarray, limits: MotionLimits) -> Trajectory:
    """The hold: each joint brakes evenly from a state in motion to rest, at its acceleration limit or harder where it
    would leave its position limits. A joint outside these is brought to the nearer one.
    """
    speed = np.abs(velocity)
    room = np.clip(np.where(velocity > 0, limits.upper - position, position - limits.lower), 0.0, None)
    gently_s, roomy_s = speed / limits.acceleration, 2 * room / np.maximum(speed, AT_REST_RAD_S)
    # in whole ticks, on the safe side: knots that are close fall together, or a cubic between them would jerk
    ticks = np.minimum(np.ceil(gently_s / BRAKE_TICK_S), np.floor(roomy_s / BRAKE_TICK_S))
    brake_s = BRAKE_TICK_S * np.maximum(ticks, 1.0)
    rest = position + 0.5 * velocity * brake_s
    inside = np.clip(rest, limits.lower, limits.upper) - rest
    duration_s = max(SHORTEST_STOP_S, brake_s.max(), float(np.sqrt(6 * np.abs(inside) / limits.acceleration).max()))
    # with a knot where each joint comes to rest, the cubics between the knots are exactly these parabolas
    last = np.ceil(round(duration_s / BRAKE_TICK_S, 3))
    knots = BRAKE_TICK_S * np.unique([0.0, last, *np.maximum(ticks, 1.0)[speed > AT_REST_RAD_S]])[:, None]
    braked, u = np.minimum(knots / brake_s, 1.0), knots / knots[-1]
    positions = position + velocity * brake_s * (braked - 0.5 * braked**2) + inside * u**2 * (3 - 2 * u)
    velocities = velocity * (1 - braked) + inside * 6 * u * (1 - u) / knots[-1]
    positions[-1], velocities[-1] = np.clip(positions[-1], limits.lower, limits.upper), 0.0
    # no braking takes less than a tick: what would leave the limits within it stops at them
    within = (position >= limits.lower) & (position <= limits.upper)
    ends = within & ((positions < limits.lower) | (positions > limits.upper))
    ends[0] = False
    positions, velocities = (
        np.where(ends, np.clip(positions, limits.lower, limits.upper), positions),
        velocities * ~ends,
    )
    return Trajectory(start_s + knots[:, 0], positions, velocities)
