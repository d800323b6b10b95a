"""A learned policy that moves the demonstrator's arm as it will move it in the graph.

The executor's core is the real one. Images are older than joint states, a chunk takes its time, both by a few frames
that vary: what the arm comes to, and how, is what it comes to later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.execution.exchange import ArrivedChunk, Request
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.policies.interface import Observation, Policy
from smolvla_ros.simulation.demonstrations import OLDEST_IMAGE

# frames, from and to: how old the images are that a chunk is made from, and until it is there
LIVE_IMAGE_AGE, ANSWER_AFTER = (0, OLDEST_IMAGE), (1, 3)


class LearnedMover:
    """look: what the policy's cameras showed so many frames ago. State: the executor and the chunk under way."""

    def __init__(self, policy: Policy, embodiment: Embodiment, look: Callable[[int], Mapping[str, np.ndarray]]) -> None:
        self._policy, self._look, self._limits = policy, look, MotionLimits.of(embodiment)
        self._row_s = 1 / embodiment.rates.policy_hz

    def begin(self, random: np.random.Generator) -> None:
        self._policy.reset()
        self._random = random
        self._executor: ChunkExecutor | None = None
        self._trajectory: Trajectory | None = None
        self._answer: tuple[int, ArrivedChunk] | None = None  # the frame in which it comes

    def goal(self, frame: int, observation: Observation) -> np.ndarray:
        """Raises PolicyRefusal."""
        now_s = observation.stamp_s
        executor = self._told(observation)
        if self._answer and frame >= self._answer[0]:
            chunk, self._answer = self._answer[1], None
            with suppress(ChunkRejected):  # of another instruction, or the arm has left: the executor asks again
                executor.on_chunk(chunk, now_s)
        commands = executor.tick(now_s)
        self._trajectory = commands.trajectory or self._trajectory
        if commands.request:
            self._answer = frame + self._some(ANSWER_AFTER), self._infer(frame, observation, commands.request)
        return self._trajectory.sample(now_s + self._row_s)[0] if self._trajectory else observation.positions

    def _told(self, observation: Observation) -> ChunkExecutor:
        """The executor with what it is told in every frame."""
        if self._executor is None:
            self._executor = ChunkExecutor(self._limits)
            self._executor.start_task(observation.instruction, observation.stamp_s)
        elif observation.instruction != self._executor.instruction:
            self._executor.change_instruction(observation.instruction, flush=False)
        self._executor.on_joint_state(observation.stamp_s, observation.positions)
        return self._executor

    def _infer(self, frame: int, observation: Observation, request: Request) -> ArrivedChunk:
        age = min(self._some(LIVE_IMAGE_AGE), frame)
        seen = replace(
            observation,
            stamp_s=observation.stamp_s - age * self._row_s,
            images=self._look(age),
            instruction=request.instruction,
            committed=None,
            delay_rows=0,
        )
        rows = self._policy.infer(seen).positions
        return ArrivedChunk(
            request.id, request.instruction, self._policy.name, seen.stamp_s, self._row_s, self._limits.names, rows
        )

    def _some(self, frames: tuple[int, int]) -> int:
        return int(self._random.integers(*frames, endpoint=True))
