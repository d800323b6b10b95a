"""Cubic splines as knots with positions and velocities: what joint_trajectory_controller joins by cubic Hermites.

times_s (knots,) increasing; positions and velocities (knots, joints): rad, rad/s.
"""

from __future__ import annotations

import numpy as np


def knot_velocities(
    times_s: np.ndarray,
    positions: np.ndarray,
    start_velocity: np.ndarray | None = None,
    end_velocity: np.ndarray | None = None,
) -> np.ndarray:
    """The velocities at which the cubics between knots join with continuous acceleration (a C2 spline).

    Velocities at the ends are given (joints,), or such that the acceleration there is zero. One knot is at rest.
    """
    if len(times_s) == 1:
        return np.zeros_like(positions)
    pace = 1 / np.diff(times_s)
    push = 3 * np.diff(positions, axis=0) * (pace**2)[:, None]
    # row k: pace[k-1] v[k-1] + 2 (pace[k-1] + pace[k]) v[k] + pace[k] v[k+1] = push[k-1] + push[k]
    before, after = np.append(pace, 0.0), np.append(0.0, pace)
    middle = 2 * (before + after)
    right = np.zeros_like(positions, dtype=float)
    right[:-1] += push
    right[1:] += push
    above, below = pace.copy(), pace.copy()
    if start_velocity is not None:
        middle[0], above[0], right[0] = 1.0, 0.0, start_velocity
    if end_velocity is not None:
        middle[-1], below[-1], right[-1] = 1.0, 0.0, end_velocity
    velocities = _tridiagonal(below, middle, above, right)
    # what is given is not rounded
    if start_velocity is not None:
        velocities[0] = start_velocity
    if end_velocity is not None:
        velocities[-1] = end_velocity
    return velocities


def hermite(
    times_s: np.ndarray, positions: np.ndarray, velocities: np.ndarray, at_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities (times, joints) at times at_s (times,) between the first knot and the last."""
    k = np.clip(np.searchsorted(times_s, at_s, side="right") - 1, 0, len(times_s) - 2)
    h = (times_s[k + 1] - times_s[k])[:, None]
    u = (at_s - times_s[k])[:, None] / h
    p0, p1, v0, v1 = positions[k], positions[k + 1], velocities[k] * h, velocities[k + 1] * h
    a, b = 2 * (p0 - p1) + v0 + v1, 3 * (p1 - p0) - 2 * v0 - v1
    return p0 + u * (v0 + u * (b + u * a)), (v0 + u * (2 * b + 3 * u * a)) / h


def spline_through(times_s: np.ndarray, positions: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Positions (times, joints) at times at_s (times,) on the spline through all knots."""
    if len(times_s) == 1:
        return np.repeat(positions, len(at_s), axis=0)
    return hermite(times_s, positions, knot_velocities(times_s, positions), at_s)[0]


def highest_speed(times_s: np.ndarray, positions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
    """(joints,) rad/s, the greatest anywhere on the cubics."""
    slope, v0, v1 = _slope(times_s, positions), velocities[:-1], velocities[1:]
    # a parabola in u from v0 to v1; its vertex counts where it lies inside
    bend, tilt = 3 * (v0 + v1) - 6 * slope, 6 * slope - 4 * v0 - 2 * v1
    u = np.clip(-tilt / np.where(bend == 0, np.inf, 2 * bend), 0.0, 1.0)
    vertex = v0 + u * (tilt + u * bend)
    return np.maximum(np.abs(vertex).max(axis=0), np.abs(velocities).max(axis=0))


def highest_acceleration(times_s: np.ndarray, positions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
    """(joints,) rad/s^2; the acceleration of a cubic is straight, so it is greatest at a knot."""
    h, slope = np.diff(times_s)[:, None], _slope(times_s, positions)
    v0, v1 = velocities[:-1], velocities[1:]
    at_start, at_end = (6 * slope - 4 * v0 - 2 * v1) / h, (2 * v0 + 4 * v1 - 6 * slope) / h
    return np.maximum(np.abs(at_start).max(axis=0), np.abs(at_end).max(axis=0))


def _slope(times_s: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.diff(positions, axis=0) / np.diff(times_s)[:, None]


def _tridiagonal(below: np.ndarray, middle: np.ndarray, above: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(rows, columns), of diagonals (rows - 1,), (rows,), (rows - 1,). A dense solver takes a tenth of the time of an
    elimination row by row in Python, at a chunk's size.
    """
    rows = len(middle)
    matrix = np.zeros((rows, rows))
    diagonals = matrix.ravel()
    diagonals[:: rows + 1], diagonals[1 :: rows + 1], diagonals[rows :: rows + 1] = middle, above, below
    return np.linalg.solve(matrix, right)
