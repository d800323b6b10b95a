"""The executor with a clock, an arm that follows perfectly, and a policy that answers after a latency."""

from __future__ import annotations

import numpy as np
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.collisions import CollisionCheck
from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.trajectory import Trajectory

ROBOT = load_embodiment()
LIMITS = MotionLimits.of(ROBOT)
HOME = ROBOT.home_rad
STEP_S = 1 / 30
TICK_S = 0.02
TASK = "put the red cube in the blue box"


class Bench:
    """State: the clock, what the executor has published, and the answers that are under way."""

    def __init__(
        self, latency_s: float = 0.1, collisions: CollisionCheck | None = None, **settings: float | str | bool
    ) -> None:
        self.executor = ChunkExecutor(LIMITS, ExecutorSettings(**settings), collisions)
        self.now_s, self.latency_s = 100.0, latency_s
        self.trajectories: list[Trajectory] = []
        self.requests: list = []
        self.answers: list[tuple[float, ArrivedChunk]] = []
        self.policy_alive = self.joint_states_flow = True
        self.sag = np.zeros(6)  # where the arm is less where it was told to be

    def wave(self, times: np.ndarray) -> np.ndarray:
        """What the policy wants at a time: a smooth motion about home."""
        return HOME + 0.2 * np.sin(times - 100.0)[:, None] * np.array([1, 1, -1, 1, 1, 1])

    def chunk(self, observation_s: float, request_id: int = 0, rows: int = 50) -> ArrivedChunk:
        times = observation_s + STEP_S * np.arange(rows)
        return ArrivedChunk(request_id, TASK, "wave", observation_s, STEP_S, ROBOT.joint_names, self.wave(times))

    def commanded(self) -> np.ndarray:
        return self.trajectories[-1].sample(self.now_s)[0] if self.trajectories else HOME

    def run(self, duration_s: float) -> None:
        for _ in range(round(duration_s / TICK_S)):
            self.now_s += TICK_S
            if self.joint_states_flow:
                self.executor.on_joint_state(self.now_s, self.commanded() + self.sag)
            for answer in [a for a in self.answers if a[0] <= self.now_s]:
                self.answers.remove(answer)
                self.executor.on_chunk(answer[1], self.now_s)
            commands = self.executor.tick(self.now_s)
            if commands.trajectory is not None:
                self.trajectories.append(commands.trajectory)
            if commands.request is not None:
                self.requests.append(commands.request)
                if self.policy_alive:
                    self.answer(self.chunk(self.now_s, commands.request.id))

    def answer(self, chunk: ArrivedChunk) -> None:
        self.answers.append((self.now_s + self.latency_s, chunk))

    def moved(self, duration_s: float) -> float:
        before = self.commanded()
        self.run(duration_s)
        return float(np.abs(self.commanded() - before).max())
