"""The loss of a batch as one module, which is what several processes share and what torch.compile takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from smolvla_ros.engines.training import TrainingLayers
from smolvla_ros.model.inputs import model_actions, model_inputs
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.training.draws import Draws, learned_rows
from smolvla_ros.training.feature_cache import cached_inputs
from smolvla_ros.training.prefix_memory import read_prefix, several

WEIGHT = "weight"
"""Key of a batch: (batch,) how much a sample counts, 1 where there is none."""


class Auxiliary(Protocol):
    """A module with parameters of its own that learns something else from the prefix; no part of the checkpoint."""

    def __call__(self, hidden: Tensor, valid: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """A loss (batch,) from hidden states (batch, rows, width), valid (batch, rows) and the batch's own keys."""


class Objective(nn.Module):
    """Policy, whose parameters are chosen already and in place, and auxiliary.

    layers: what computes, over the policy's own parameters; the policy itself where None.
    """

    def __init__(
        self, policy: SmolVLA, auxiliary: nn.Module | None = None, layers: TrainingLayers | None = None
    ) -> None:
        super().__init__()
        self.policy, self.auxiliary = policy, auxiliary
        # in a tuple, so that no parameter is counted twice
        self._layers = layers or TrainingLayers(policy.model, policy.model)
        self._frozen = not any(p.requires_grad for p in policy.model.vlm_with_expert.vlm.parameters())

    def forward(self, batch: Mapping[str, Tensor], draws: Draws) -> tuple[Tensor, Tensor]:
        """Sums over the batch: of the objective by weight (divide it by `elements`), and of auxiliary losses."""
        config, flow = self.policy.config, self._layers.learning
        frozen = self._layers.forward_alone if self._frozen else None
        actions, count, chunk = model_actions(batch, config), draws.time.shape[1], config.chunk_size
        regression = config.objective == "regression"
        known = cached_inputs(batch, config, flow.backbone.text_model.embed_tokens.weight.dtype)
        inputs, image_tokens = known or (model_inputs(batch, config), None)
        prefix = read_prefix(flow, inputs, frozen, image_tokens)
        learned = learned_rows(batch, draws.delay, chunk)
        if regression:
            error = flow.error(prefix.memory, actions, draws.noise[:, 0], draws.time)
            error = error[:, None].expand(-1, count, -1, -1)
        else:
            clean = torch.arange(chunk, device=draws.delay.device) < draws.delay[..., None]
            time = draws.time[..., None] * ~clean
            rows = actions[:, None].expand(-1, count, -1, -1).flatten(1, 2)
            error = flow.error(
                several(prefix.memory, count, chunk), rows, draws.noise.flatten(1, 2), time.flatten(1, 2)
            ).unflatten(1, (count, chunk))
        weight = _weights(batch, actions)
        total = (error[..., : config.action_dim] * (learned * weight[:, None, None])[..., None]).sum()
        other = total.new_zeros(())
        if self.auxiliary is not None:
            other = self.auxiliary(prefix.hidden, prefix.valid, batch).sum()
        return total, other

    def elements(self, batch: Mapping[str, Tensor], draws: Draws) -> Tensor:
        """By how much the sum is divided to become a mean: the weighted count of learned numbers."""
        learned = learned_rows(batch, draws.delay, self.policy.config.chunk_size).sum(dim=(1, 2))
        return (learned * _weights(batch, draws.time)).sum() * self.policy.config.action_dim


def _weights(batch: Mapping[str, Tensor], like: Tensor) -> Tensor:
    weight = batch.get(WEIGHT)
    return like.new_ones(len(like)) if weight is None else weight.to(like)
