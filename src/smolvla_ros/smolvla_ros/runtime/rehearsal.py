"""Tasks in one process on a simulated clock, told as the graph tells them: for many scenes in little time.

    rehearsal = Rehearsal(embodiment, policy)
    outcome, recording = rehearsal.run(seed=1000, instruction="put the red cube in the blue box", time_limit_s=20)

Physics, cameras' pictures, policy, timeline and judge are the graph's; the executor's safety filter, the driver and
the servo bus are not in it, and a chunk takes as long as is said.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import Policy, PolicyRefusal
from smolvla_ros.runtime.recording import RETREAT_S, Recording, TaskOutcome
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.tasks import PICK_AND_PLACE, instructions
from smolvla_ros.simulation.trial import Loop, Pacing
from smolvla_ros.simulation.world import World

RECORD_S = 1 / 30


class Rehearsal:
    """State: the world. Use it in one thread, and close it."""

    def __init__(
        self,
        embodiment: Embodiment,
        policy: Policy,
        task: str = PICK_AND_PLACE,
        sync: bool = False,
        latency_s: float = 0.1,
    ) -> None:
        """latency_s: from an observation to its chunk's arrival. Raises NoRenderer, UnknownTask."""
        self._embodiment, self._policy = embodiment, policy
        self._world = World(embodiment, task)
        self._pacing = Pacing(answer_after_s=(latency_s, latency_s), sync=sync)
        self._task = task
        sizes = {(c.width, c.height) for c in embodiment.cameras if c.name in policy.cameras}
        self._renderers = {size: Renderer(self._world, *size) for size in sizes}

    @property
    def instructions(self) -> list[str]:
        return instructions(self._world.objects(), self._task)

    def run(self, seed: int, instruction: str, time_limit_s: float) -> tuple[TaskOutcome, Recording]:
        """One task from a seed's scene until it stays done, the time is over or the policy refuses."""
        world, recording = self._world, Recording(self._embodiment.joint_names)
        world.reset(seed)
        self._policy.reset()
        random = np.random.default_rng(seed)
        loop = Loop(world, self._policy, self._embodiment, random, self._pacing, self._look)
        recording.scene_seed, recording.policy = seed, self._policy.name
        recording.object_poses = {name: [] for name in world.objects()}
        reason, message = "time limit", ""
        done_s: float | None = None
        while loop.now_s < time_limit_s and (done_s is None or loop.now_s < done_s + RETREAT_S):
            if not recording.joint_stamps_s or loop.now_s - recording.joint_stamps_s[-1] >= RECORD_S:
                self._record(recording, loop.now_s)
                done_s = (loop.now_s if done_s is None else done_s) if judge(world, instruction).done else None
            try:
                loop.advance(instruction)
            except PolicyRefusal as refusal:
                reason, message = "fault", str(refusal)
                break
        verdict = judge(world, instruction)
        outcome = TaskOutcome(
            instruction=instruction,
            reason="finished" if verdict.done else reason,
            message=message or verdict.message,
            judged=verdict.done if verdict.understood else None,
            duration_s=done_s if verdict.done and done_s is not None else loop.now_s,
            starved_s=loop.starved_s,
            chunks=loop.chunks,
            rows_executed=round(loop.now_s * self._embodiment.rates.policy_hz),
        )
        return outcome, recording

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()

    def _look(self) -> Mapping[str, np.ndarray]:
        images = {}
        for camera in self._embodiment.cameras:
            if camera.name in self._policy.cameras:
                renderer = self._renderers[camera.width, camera.height]
                renderer.take_state(self._world.data.qpos)
                images[camera.name] = renderer.draw(camera.name)
        return images

    def _record(self, recording: Recording, now_s: float) -> None:
        recording.joint_stamps_s.append(now_s)
        recording.joint_positions.append(self._world.positions)
        recording.object_stamps_s.append(now_s)
        for name, pose in self._world.objects().items():
            recording.object_poses[name].append(np.concatenate([pose.position, pose.quaternion]))
