"""What chance decides in a step: noise, flow time and, for action conditioning, the clean rows.

Drawn for the whole batch from seed and step, then divided, so that neither the number of processes nor where a run was
resumed changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.model.config import SmolVLAConfig
from smolvla_ros.model.smolvla import TIME_BETA, TIME_OFFSET, TIME_SCALE
from smolvla_ros.training.order import DRAW_STREAM


@dataclass(frozen=True)
class Draws:
    """noise (batch, draws, chunk, max_action_dim); time (batch, draws); delay (batch, draws) rows that are clean."""

    noise: Tensor
    time: Tensor
    delay: Tensor

    def part(self, part: slice) -> Draws:
        """Of some samples."""
        return Draws(self.noise[part], self.time[part], self.delay[part])

    def to(self, device: torch.device) -> Draws:
        return Draws(self.noise.to(device), self.time.to(device), self.delay.to(device))


def draw(config: SmolVLAConfig, batch: int, draws: int, seed: int, step: int, stream: int = DRAW_STREAM) -> Draws:
    """Times are 0.999 * Beta(1.5, 1) + 0.001, by the inverse of the distribution function, x^1.5."""
    generator = generator_of(seed, stream, step)
    noise = torch.randn(batch, draws, config.chunk_size, config.max_action_dim, generator=generator)
    uniform = torch.rand(batch, draws, generator=generator, dtype=torch.float64)
    time = (uniform ** (1 / TIME_BETA[0]) * TIME_SCALE + TIME_OFFSET).float()
    delay = torch.randint(config.rtc_training_max_delay + 1, (batch, draws), generator=generator)
    return Draws(noise, time, delay)


def learned_rows(batch: Mapping[str, Tensor], delay: Tensor, chunk: int) -> Tensor:
    """(batch, draws, chunk) bool: rows inside the episode that are not given clean."""
    learned = torch.arange(chunk, device=delay.device) >= delay[..., None]
    padding = batch.get("action_is_pad")
    return learned if padding is None else learned & ~padding.bool()[:, None]


def generator_of(seed: int, *stream: int) -> torch.Generator:
    """A generator on the CPU, of its own for each stream of numbers."""
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
