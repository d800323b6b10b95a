"""The scripted policy with somebody who writes down what it says: for figures and pictures of its chunks."""

from __future__ import annotations

from dataclasses import dataclass

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import Chunk, Observation
from smolvla_ros.policies.scripted import ScriptedPolicy


@dataclass(frozen=True)
class HeardChunk:
    """A chunk, and the stamp of the observation that it is for, in s."""

    chunk: Chunk
    stamp_s: float


class HeardPolicy(ScriptedPolicy):
    """State: beside the policy's own, every chunk so far."""

    def __init__(self, embodiment: Embodiment) -> None:
        super().__init__(embodiment)
        self.heard: list[HeardChunk] = []

    def infer(self, observation: Observation) -> Chunk:
        chunk = super().infer(observation)
        self.heard.append(HeardChunk(chunk, observation.stamp_s))
        return chunk
