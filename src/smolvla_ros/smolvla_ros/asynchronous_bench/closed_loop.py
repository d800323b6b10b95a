"""Policy, executor, controller and arm in one process on one clock: what the graph does, faster than real time.

The executor's core, the driver's trajectory follower and the physics are the real ones; a chunk takes as long as it is
said to. Goals and measured positions are whole servo ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from so100_hardware.trajectory import Trajectory as ControllerTrajectory
from so100_hardware.trajectory import TrajectoryFollower, TrajectoryPoint

from smolvla_ros.execution.exchange import ArrivedChunk, Request
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.policies.interface import Observation, Policy
from smolvla_ros.simulation.world import World
from smolvla_ros.units import ServoTicks

CONTROL_PER_TICK = 2  # the executor looks at its queue at 48 Hz, the driver writes goals at 96 Hz


@dataclass(frozen=True)
class Way:
    """One way of execution. honours_committed: the policy is told what will be executed meanwhile and goes on from it
    (real-time chunking); if not, it goes on from what it sees.
    """

    mode: str
    settings: ExecutorSettings
    honours_committed: bool = False


@dataclass
class Recorded:
    """Control steps, (steps,) and (steps, joints), SI units, and the trajectories that were sent."""

    times_s: list[float] = field(default_factory=list)
    goals: list[np.ndarray] = field(default_factory=list)
    accelerations: list[np.ndarray] = field(default_factory=list)
    measured: list[np.ndarray] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    trajectories: list[Trajectory] = field(default_factory=list)


class ClosedLoop:
    """State: the clock `now_s`, the world, the executor, what the controller follows, the answer under way.

    look: the images that the policy gets.
    """

    def __init__(
        self,
        world: World,
        policy: Policy,
        way: Way,
        latency_s: float,
        instruction: str,
        look: Callable[[], Mapping[str, np.ndarray]] = dict,
    ) -> None:
        embodiment = world.embodiment
        self._look = look
        self.world, self.now_s, self.recorded = world, 0.0, Recorded()
        self._policy, self._way, self._latency_s, self._instruction = policy, way, latency_s, instruction
        self._ticks, self._names = ServoTicks(embodiment), embodiment.joint_names
        self._torque = np.ones(len(self._names), dtype=bool)
        self._physics_steps = max(1, round(1 / embodiment.rates.control_hz / world.timestep_s))
        self._step_s = self._physics_steps * world.timestep_s
        self._steps = 0
        self._answer: tuple[float, ArrivedChunk] | None = None
        self._follower = TrajectoryFollower(self._names, self._measured())
        self.executor = ChunkExecutor(MotionLimits.of(embodiment), way.settings)
        self.executor.on_joint_state(self.now_s, self._measured())
        self.executor.start_task(instruction, self.now_s)

    def advance(self) -> None:
        """One control step. Raises PolicyRefusal."""
        self.executor.on_joint_state(self.now_s, self._measured())
        if self._answer is not None and self.now_s >= self._answer[0]:
            self._take(self._answer[1])
        if self._steps % CONTROL_PER_TICK == 0:
            self._tick()
        goal = self._follower.sample(self.now_s)
        recorded = self.recorded
        recorded.times_s.append(self.now_s)
        recorded.goals.append(goal.position)
        recorded.accelerations.append(goal.acceleration)
        recorded.measured.append(self.world.positions)
        recorded.queued.append(len(self.executor.timeline))
        ticks = np.rint(self._ticks.from_radians(goal.position))
        self.world.set_setpoints(self._ticks.to_radians(ticks), self._torque)
        self.world.step(self._physics_steps)
        self._steps += 1
        self.now_s = self._steps * self._step_s

    def _take(self, chunk: ArrivedChunk) -> None:
        self._answer = None
        try:
            self.executor.on_chunk(chunk, self.now_s)
        except ChunkRejected:
            return  # the executor counts it
        self._tick()

    def _tick(self) -> None:
        commands = self.executor.tick(self.now_s)
        if commands.trajectory is not None:
            self.recorded.trajectories.append(commands.trajectory)
            self._follower.accept(self._to_controller(commands.trajectory), self.now_s)
        if commands.request is not None:
            self._answer = self.now_s + self._latency_s, self._infer(commands.request)

    def _infer(self, request: Request) -> ArrivedChunk:
        if request.reset:
            self._policy.reset()
        chunk = self._policy.infer(
            Observation(
                stamp_s=self.now_s,
                images=self._look(),
                positions=self._measured(),
                instruction=request.instruction,
                committed=request.committed if len(request.committed) else None,
                committed_start_s=request.committed_start_s,
                committed_step_s=request.step_s,
                delay_rows=request.delay_rows if self._way.honours_committed else 0,
                objects=self.world.objects(),
            )
        )
        return ArrivedChunk(
            request.id,
            request.instruction,
            self._policy.name,
            self.now_s,
            chunk.step_s,
            self._names,
            chunk.positions,
        )

    def _to_controller(self, trajectory: Trajectory) -> ControllerTrajectory:
        start_s = float(trajectory.times_s[0])
        points = [
            TrajectoryPoint(time_s - start_s, positions, velocities)
            for time_s, positions, velocities in zip(
                trajectory.times_s.tolist(), trajectory.positions, trajectory.velocities, strict=True
            )
        ]
        return ControllerTrajectory(self._names, points, start_s)

    def _measured(self) -> np.ndarray:
        return self._ticks.to_radians(np.rint(self._ticks.from_radians(self.world.positions)))
