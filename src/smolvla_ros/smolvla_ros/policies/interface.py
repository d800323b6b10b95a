"""What a policy is: `infer(observation) -> chunk`. Everything else (queues, nodes, engines) is built around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from smolvla_ros.embodiment import Embodiment


class PolicyRefusal(ValueError):
    """The policy will not act on this observation or instruction. The message is for the operator."""


class EmbodimentMismatch(ValueError):
    """A policy does not fit the robot. The message names the field, expected, found and what to do."""


@dataclass(frozen=True)
class ObjectPose:
    """Where the simulator has an object. `quaternion` is (w, x, y, z), `position` in metres from the arm's base."""

    position: np.ndarray
    quaternion: np.ndarray


@dataclass(frozen=True)
class Observation:
    """One look at the world, in SI units and the embodiment file's joint order.

    stamp_s: stamp of the oldest part. images: camera name -> (height, width, 3) uint8 RGB.
    positions: (joints,) rad. committed: (rows, joints) rad that are queued, row j for
    committed_start_s + j * committed_step_s (0: the policy's own); None where nothing is. The first delay_rows will be
    executed meanwhile; the others are what the new chunk takes the place of.
    objects: the simulator's ground truth by name ("red cube"); None on a real arm.
    """

    stamp_s: float
    images: Mapping[str, np.ndarray]
    positions: np.ndarray
    instruction: str
    committed: np.ndarray | None = None
    committed_start_s: float = 0.0
    delay_rows: int = 0
    objects: Mapping[str, ObjectPose] | None = None
    committed_step_s: float = 0.0

    def at_step(self, step_s: float) -> Observation:
        """The same with committed rows at a policy's own step: where the executor goes slower than rows are made for,
        a policy, which knows no other pace, sees them as near in time as it has made them.
        """
        if not self.committed_step_s or self.committed_step_s == step_s:
            return self
        ahead_s = (self.committed_start_s - self.stamp_s) * step_s / self.committed_step_s
        return replace(self, committed_start_s=self.stamp_s + ahead_s, committed_step_s=step_s)


@dataclass(frozen=True)
class Chunk:
    """Row k of `positions` (horizon, joints), rad, is for the observation's stamp + k * step_s.

    `latency_s` splits the time spent by stage: preprocess, encode, denoise, postprocess.
    """

    positions: np.ndarray
    step_s: float
    denoise_steps: int = 0
    prefix_rows: int = 0
    latency_s: Mapping[str, float] = field(default_factory=dict)


class Policy(Protocol):
    """`cameras` names the images that `infer` reads; `needs_objects` asks for the simulator's ground truth."""

    name: str
    cameras: tuple[str, ...]
    needs_objects: bool

    def infer(self, observation: Observation) -> Chunk:
        """Raises PolicyRefusal where the observation or the instruction cannot be acted on."""
        ...

    def reset(self) -> None:
        """A new task begins: forget everything kept between chunks."""
        ...

    def for_another_robot(self, embodiment: Embodiment) -> Policy:
        """The same policy for another robot: shares what was loaded, remembers by itself. Raises EmbodimentMismatch."""
        ...

    @staticmethod
    def infer_together(asked: Sequence[tuple[Any, Observation]]) -> list[Chunk | Exception]:
        """What `infer` of each policy answers or raises, in order. The policies are one policy's robots'."""
        ...


def infer_one_by_one(asked: Sequence[tuple[Policy, Observation]]) -> list[Chunk | Exception]:
    """`infer_together` of a policy that has nothing to gain from a batch."""
    answers: list[Chunk | Exception] = []
    for policy, observation in asked:
        try:
            answers.append(policy.infer(observation))
        except Exception as error:  # one robot's trouble is not another's
            answers.append(error)
    return answers
