"""A learned policy that moves the demonstrator's arm, asked again and again as the executor asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from smolvla_ros.policies.interface import Observation, Policy

# rows of a chunk that are executed before the next one arrives, and how late that is, from and to
EXECUTED_ROWS, LATE_ROWS = (6, 14), (1, 4)


class LearnedMover:
    """look: what the policy's cameras show now. State: the chunk that is executed and the one that is under way."""

    def __init__(self, policy: Policy, look: Callable[[], Mapping[str, np.ndarray]]) -> None:
        self._policy, self._look = policy, look

    def begin(self, random: np.random.Generator) -> None:
        self._policy.reset()
        self._random, self._rows, self._began = random, np.empty((0, 0)), 0
        self._coming: tuple[int, int, np.ndarray] | None = None  # arrives in frame, began in frame, rows
        self._ask_again = 0

    def goal(self, frame: int, observation: Observation) -> np.ndarray:
        """Raises PolicyRefusal."""
        if self._coming is None and frame >= self._ask_again:
            rows = self._policy.infer(replace(observation, images=self._look())).positions
            late = int(self._random.integers(*LATE_ROWS, endpoint=True)) if len(self._rows) else 0
            self._coming = frame + late, frame, rows
        if self._coming is not None and frame >= self._coming[0]:
            _, self._began, self._rows = self._coming
            self._coming = None
            self._ask_again = frame + int(self._random.integers(*EXECUTED_ROWS, endpoint=True))
        return self._rows[min(frame + 1 - self._began, len(self._rows) - 1)]
