"""The twins of golden_twins.py as this project's policies and tensors."""

from __future__ import annotations

from dataclasses import replace

import golden_twins as twins
import torch
from smolvla_ros.model.config import BackboneConfig, SmolVLAConfig
from smolvla_ros.model.real_time_chunking import Guidance
from smolvla_ros.model.smolvla import SmolVLA


def twin_named(name: str, **config: object) -> twins.Twin:
    """With `config` over the twin's own."""
    twin = next(twin for twin in twins.TWINS if twin.name == name)
    return replace(twin, config={**twin.config, **config})


def policy_of(twin: twins.Twin) -> SmolVLA:
    config = SmolVLAConfig.from_json(twins.config_of(twin), "config.json")
    policy = SmolVLA(config, BackboneConfig.from_json(twins.backbone_of(twin), "backbone/config.json")).eval()
    policy.model.image_token_ids = twins.IMAGE_TOKEN_IDS
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if twin.published_types and twins.is_bfloat16(name):
                parameter.data = parameter.data.bfloat16()
            parameter.copy_(torch.from_numpy(twins.weight(name, tuple(parameter.shape))))
    return policy


def batch_of(twin: twins.Twin) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in twins.inputs_of(twin).items()}


def guidance_of(twin: twins.Twin) -> Guidance | None:
    """What LeRobot was given, None where its previous chunk is empty or it was not asked."""
    previous = twins.previous_of(twin)
    if twin.guided is None or previous is None:
        return None
    guided = twin.guided
    return Guidance(torch.from_numpy(previous), guided.delay, guided.horizon, guided.schedule, guided.max_weight)
