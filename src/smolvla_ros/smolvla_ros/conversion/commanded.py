"""What the arm was told: the controller's trajectories, replayed as the controller takes them.

joint_trajectory_controller replaces the running trajectory when a new one comes; it joins points by straight lines, or
by cubics where they have velocities, and stays at the last. Before a trajectory's first point it goes there from where
it was. forward_position_controller stays at the position that it was told last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.spline import hermite

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Command:
    """One JointTrajectory, or one position for now. received_ns: when it came. times_ns (points,) increasing, positions
    (points, joints) rad.

    velocities (points, joints) rad/s, None where there are none.
    """

    received_ns: int
    times_ns: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray | None = None


def commanded_positions(commands: Sequence[Command], known_ns: np.ndarray, ahead_ns: int) -> np.ndarray:
    """(steps, joints) rad: at each time of known_ns (steps,), where the arm had been told to be ahead_ns later.

    Only what had been received by then counts. commands: at least one, in the order of arrival, the first no later than
    known_ns[0].
    """
    held = _with_starts(commands)
    received = np.array([command.received_ns for command in commands])
    in_force = np.searchsorted(received, known_ns, side="right") - 1
    return np.stack([_at(held[i], int(known) + ahead_ns) for i, known in zip(in_force, known_ns, strict=True)])


def _with_starts(commands: Sequence[Command]) -> list[Command]:
    """With a first point at the time of arrival where a trajectory begins later than that."""
    held: list[Command] = []
    for command in commands:
        if held and command.times_ns[0] > command.received_ns:
            start = _at(held[-1], command.received_ns)[None]
            rest = None if command.velocities is None else np.concatenate([np.zeros_like(start), command.velocities])
            times = np.concatenate([[command.received_ns], command.times_ns])
            command = Command(command.received_ns, times, np.concatenate([start, command.positions]), rest)
        held.append(command)
    return held


def _at(command: Command, time_ns: int) -> np.ndarray:
    times, positions = command.times_ns, command.positions
    if time_ns <= times[0] or len(times) == 1:
        return positions[0]
    if time_ns >= times[-1]:
        return positions[-1]
    times_s = (times - times[0]) / NANOSECONDS
    at_s = np.array([(time_ns - times[0]) / NANOSECONDS])
    if command.velocities is not None:
        return hermite(times_s, positions, command.velocities, at_s)[0][0]
    return np.array([np.interp(at_s[0], times_s, joint) for joint in positions.T])
