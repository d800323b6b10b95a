"""The one filter: nothing reaches a controller that has not passed it.

A chunk that is not finite, or whose first row is not where the arm can be, is refused whole. Rows outside position,
velocity or acceleration limits are moved to the nearest position inside them and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.execution.timeline import ChunkRejected

SLACK = 1e-9


@dataclass(frozen=True)
class MotionLimits:
    """Per joint, (joints,): rad, rad/s, rad/s^2."""

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray

    @classmethod
    def of(cls, embodiment: Embodiment) -> MotionLimits:
        return cls(
            embodiment.wire_names,
            embodiment.lower_rad,
            embodiment.upper_rad,
            embodiment.max_velocity_rad_s,
            embodiment.max_acceleration_rad_s2,
        )


def joint_columns(expected: Sequence[str], found: Sequence[str]) -> list[int]:
    """Columns of `found` in the order of `expected`. Raises ChunkRejected where they are not the same joints."""
    if sorted(expected) != sorted(found):
        raise ChunkRejected(f"joint_names: expected {', '.join(expected)}; found {', '.join(found) or 'none'}")
    return [list(found).index(name) for name in expected]


def check_rows(positions: np.ndarray, step_s: float, limits: MotionLimits) -> None:
    """Raises ChunkRejected where rows (rows, joints) are missing, malformed or not finite."""
    if positions.ndim != 2 or not len(positions) or positions.shape[1] != len(limits.names):
        raise ChunkRejected(f"positions: expected rows of {len(limits.names)} joints, found shape {positions.shape}")
    if not np.isfinite(step_s) or step_s <= 0:
        raise ChunkRejected(f"step: expected above 0 s, found {step_s:g} s")
    if not np.isfinite(positions).all():
        row, joint = np.argwhere(~np.isfinite(positions))[0]
        raise ChunkRejected(
            f"positions: row {row}, {limits.names[joint]}: expected a number, found {positions[row, joint]}"
        )


def check_jump(first_row: np.ndarray, present: np.ndarray, max_jump_rad: float, limits: MotionLimits) -> None:
    """Raises ChunkRejected where a joint's first row is farther than max_jump_rad from where the joint is."""
    jump = np.abs(first_row - present)
    worst = int(np.argmax(jump))
    if jump[worst] > max_jump_rad:
        raise ChunkRejected(
            f"jump: {limits.names[worst]} should go from {present[worst]:.2f} to {first_row[worst]:.2f} rad at once; "
            f"at most {max_jump_rad:g} rad is taken (parameter max_jump)"
        )


def limit_motion(
    times_s: np.ndarray,
    positions: np.ndarray,
    start_s: float,
    start_position: np.ndarray,
    start_velocity: np.ndarray,
    limits: MotionLimits,
) -> tuple[np.ndarray, int]:
    """Rows (rows, joints) inside all limits, followed from a state in motion, and how many had to be changed.

    The mean velocity from row to row is inside the velocity limit, small enough to brake before a position limit, and
    changes by no more than acceleration * time between the middles of two intervals. Where not all can be met,
    position comes before acceleration and acceleration before velocity: what is too fast brakes as it can. Rows that
    were left behind are caught up with no faster than the motion can slow down to theirs: it does not shoot past them.
    """
    limited = positions.astype(float)
    intervals_s = np.diff(np.concatenate([[start_s], times_s]))[:, None]
    # between the middles of two intervals; the start is a moment
    changes = limits.acceleration * 0.5 * (intervals_s + np.concatenate([[[0.0]], intervals_s[:-1]]))
    wanted = np.concatenate([start_position[None], positions])
    wanted_velocity = np.concatenate([start_velocity[None], np.diff(wanted, axis=0) / intervals_s])
    up, down = _reach(wanted[:-1], intervals_s, limits)
    low, high = np.maximum(-down, wanted_velocity[:-1] - changes), np.minimum(up, wanted_velocity[:-1] + changes)
    inside = (low - SLACK <= wanted_velocity[1:]) & (wanted_velocity[1:] <= high + SLACK)
    inside &= (limits.lower <= positions) & (positions <= limits.upper)
    # once the motion is again what is wanted, rows that are inside the limits need no further look
    clean_from = int(np.flatnonzero(~inside.all(axis=1))[-1]) + 1 if not inside.all() else 0
    # of the rows themselves; of the first, which may be far from the start, that of the second
    pace = np.concatenate(
        [wanted_velocity[2:3] if len(positions) > 1 else np.zeros((1, positions.shape[1])), wanted_velocity[2:]]
    )
    before, velocity, unchanged = start_position, start_velocity, 2
    for k, interval_s in enumerate(intervals_s[:, 0].tolist()):
        if unchanged >= 2 and k >= clean_from:
            break
        up, down = _reach(before, interval_s, limits)
        behind = positions[k] - before - pace[k] * interval_s
        catching_up = np.minimum(np.abs(behind) / interval_s, _braking(np.abs(behind), interval_s, limits))
        mean_velocity = np.clip(pace[k] + np.sign(behind) * catching_up, -down, up)
        mean_velocity = np.clip(mean_velocity, velocity - changes[k], velocity + changes[k])
        limited[k] = np.clip(before + mean_velocity * interval_s, limits.lower, limits.upper)
        velocity, before = (limited[k] - before) / interval_s, limited[k]
        unchanged = unchanged + 1 if np.abs(limited[k] - positions[k]).max() <= SLACK else 0
    changed = int(np.any(np.abs(limited - positions) > SLACK, axis=1).sum())
    return limited, changed


def clamp_kinds(
    times_s: np.ndarray,
    wanted: np.ndarray,
    limited: np.ndarray,
    start_s: float,
    start_position: np.ndarray,
    limits: MotionLimits,
) -> dict[str, int]:
    """How many of the rows (rows, joints) that were moved had been outside the position limits, else too fast, else too
    sudden.
    """
    changed = np.any(np.abs(limited - wanted) > SLACK, axis=1)
    outside = np.any((wanted < limits.lower - SLACK) | (wanted > limits.upper + SLACK), axis=1)
    intervals_s = np.diff(np.concatenate([[start_s], times_s]))[:, None]
    speed = np.abs(np.diff(np.concatenate([start_position[None], wanted]), axis=0)) / intervals_s
    fast = np.any(speed > limits.velocity + SLACK, axis=1)
    kinds = {"position": outside, "velocity": ~outside & fast, "acceleration": ~outside & ~fast}
    return {kind: int(found.sum()) for kind, rows in kinds.items() if (found := rows & changed).any()}


def _reach(before: np.ndarray, interval_s: np.ndarray | float, limits: MotionLimits) -> tuple[np.ndarray, np.ndarray]:
    """The highest mean velocities up and down over an interval from where joints are, inside the velocity limit, after
    which they can still brake in what is then left of the room.
    """
    brake = limits.acceleration * interval_s
    up = np.sqrt(brake**2 + 2 * limits.acceleration * np.maximum(limits.upper - before, 0.0)) - brake
    down = np.sqrt(brake**2 + 2 * limits.acceleration * np.maximum(before - limits.lower, 0.0)) - brake
    return np.minimum(limits.velocity, up), np.minimum(limits.velocity, down)


def _braking(way: np.ndarray, interval_s: float, limits: MotionLimits) -> np.ndarray:
    """The highest speed from which joints come to rest within a way, with a change at the end of each interval."""
    half = 0.5 * limits.acceleration * interval_s
    return np.sqrt(half**2 + 2 * limits.acceleration * way) - half
