"""Smooth motion through several poses: overlapping minimum-jerk moves, one added to the next.

Each move carries the arm pose by a difference, along Flash and Hogan's minimum-jerk course. A move may begin before the
one before it has ended: their sum rounds the corner, and position, velocity and acceleration stay continuous.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smolvla_ros.simulation.kinematics import Kinematics

START_VELOCITY_DECAY_S = 0.4
CHECK_STEP_S = 1 / 60


@dataclass(frozen=True)
class Move:
    """`difference` (6,) of arm poses, covered from start_s to start_s + duration_s after the motion's start.

    under_way: the second half of a move that began before, so that it is fastest where it starts.
    """

    start_s: float
    duration_s: float
    difference: np.ndarray
    under_way: bool = False

    def share(self, time_s: np.ndarray) -> np.ndarray:
        """Of the difference, at times since the motion's start."""
        phase = (time_s - self.start_s) / self.duration_s
        return 2 * _minimum_jerk(0.5 + phase / 2) - 1 if self.under_way else _minimum_jerk(phase)


@dataclass
class Motion:
    """A pose (6,) and its velocity at start_s, the moves after it, and named times that they pass.

    State while it is being built: `end_pose` and `end_s` are those of the moves so far.
    """

    arm: Kinematics
    start_s: float
    start_pose: np.ndarray
    start_velocity: np.ndarray
    moves: list[Move] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    stretch: float = 1.0

    def __post_init__(self) -> None:
        self.end_pose = self.start_pose.copy()
        self._end_s = 0.0

    def move_to(self, pose: np.ndarray, duration_s: float, overlap_s: float = 0.0, under_way: bool = False) -> None:
        """Adds a move to an arm pose, beginning overlap_s before the one before it ends."""
        start_s = max(0.0, self._end_s - overlap_s)
        self.moves.append(Move(start_s, duration_s, pose - self.end_pose, under_way))
        self.end_pose = pose.copy()
        self._end_s = max(self._end_s, start_s + duration_s)

    def wait(self, duration_s: float) -> None:
        self._end_s += duration_s

    def mark(self, name: str) -> None:
        """The moves so far end here."""
        self.marks[name] = self._end_s

    def time_of(self, name: str) -> float:
        """When a mark is passed, on the clock of start_s; infinite where the motion has no such mark."""
        return self.start_s + self.stretch * self.marks[name] if name in self.marks else np.inf

    @property
    def end_s(self) -> float:
        return self.start_s + self.stretch * self._end_s

    def positions(self, times_s: np.ndarray) -> np.ndarray:
        """Joint positions (n, 6) in rad at times (n,); before start_s the first, after end_s the last."""
        after_s = np.maximum(np.asarray(times_s, dtype=float) - self.start_s, 0.0)
        poses = self.start_pose + _decaying_drift(after_s)[:, None] * self.start_velocity
        for move in self.moves:
            poses = poses + move.share(after_s / self.stretch)[:, None] * move.difference
        return self.arm.joint_positions(poses)

    def keep_within(self, max_velocity_rad_s: np.ndarray) -> None:
        """Slows all moves down together until no joint is faster than this (6,)."""
        for _ in range(4):
            times_s = np.arange(self.start_s, self.end_s + CHECK_STEP_S, CHECK_STEP_S)
            speed = np.abs(np.diff(self.positions(times_s), axis=0)) / CHECK_STEP_S
            excess = float((speed / max_velocity_rad_s).max(initial=0.0))
            if excess <= 1.0:
                return
            self.stretch *= 1.02 * excess


def _minimum_jerk(phase: np.ndarray) -> np.ndarray:
    phase = np.clip(phase, 0.0, 1.0)
    return phase**3 * (10 - 15 * phase + 6 * phase**2)


def _decaying_drift(after_s: np.ndarray) -> np.ndarray:
    """How far a unit velocity carries that is brought to rest where it began: quintic, at rest after the decay time."""
    phase = np.clip(after_s / START_VELOCITY_DECAY_S, 0.0, 1.0)
    return START_VELOCITY_DECAY_S * (phase - 6 * phase**3 + 8 * phase**4 - 3 * phase**5)
