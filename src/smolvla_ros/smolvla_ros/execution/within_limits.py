"""The motion that is sent: rows inside the limits, and a spline through them that is so between the rows as well.

A spline through rows whose steps are inside the limits may still overshoot them between rows. Where it does, the rows
are filtered again with limits that are as much lower for that joint as its overshoot was high, and a little more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smolvla_ros.execution.safety import MotionLimits, clamp_kinds, limit_motion
from smolvla_ros.execution.spline import highest_acceleration, highest_speed
from smolvla_ros.execution.trajectory import Trajectory, through_rows

TRIES = 4
MORE = 1.1


@dataclass(frozen=True)
class LimitedMotion:
    """A trajectory through `rows` (rows, joints), of which `changed` are not as they were asked for, and why."""

    trajectory: Trajectory
    rows: np.ndarray
    changed: int
    clamps: dict[str, int]


def motion_within(
    start_s: float,
    position: np.ndarray,
    velocity: np.ndarray,
    times_s: np.ndarray,
    rows: np.ndarray,
    limits: MotionLimits,
) -> LimitedMotion:
    """From a state in motion through rows (rows, joints) as near as the limits allow, then to rest.

    Where no try is inside all limits between the rows as well, velocity comes before acceleration.
    """
    asked, tried = limits, []
    for _ in range(TRIES):
        limited, changed = limit_motion(times_s, rows, start_s, position, velocity, asked)
        trajectory = through_rows(start_s, position, velocity, times_s, limited, limits)
        speed, acceleration = _shares(trajectory, len(rows), limits)
        fastest, hardest = max(float(speed.max()), 1.0), float(acceleration.max())
        tried.append((fastest, hardest, trajectory, limited, changed))
        if fastest <= 1.0 and hardest <= 1.0:
            break
        asked = replace(
            asked,
            velocity=asked.velocity / np.where(speed > 1.0, MORE * speed, 1.0),
            acceleration=asked.acceleration / np.where(acceleration > 1.0, MORE * acceleration, 1.0),
        )
    _, _, trajectory, limited, changed = min(tried, key=lambda found: found[:2])
    clamps = clamp_kinds(times_s, rows, limited, start_s, position, limits) if changed else {}
    return LimitedMotion(trajectory, limited, changed, clamps)


def _shares(trajectory: Trajectory, rows: int, limits: MotionLimits) -> tuple[np.ndarray, np.ndarray]:
    """The highest speed and acceleration up to the last row, as shares of the limits, (joints,)."""
    to_rows = slice(0, rows + 1)
    cubics = trajectory.times_s[to_rows], trajectory.positions[to_rows], trajectory.velocities[to_rows]
    return highest_speed(*cubics) / limits.velocity, highest_acceleration(*cubics) / limits.acceleration
