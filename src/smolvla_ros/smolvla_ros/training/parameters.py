"""Which parameters learn."""

from __future__ import annotations

from torch import nn

from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.training.settings import ALL, BACKBONE, TrainingSettings


def choose_parameters(policy: SmolVLA, settings: TrainingSettings) -> None:
    """Sets requires_grad. What no output reads never learns: the last language layer but its keys, values and norm.

    "expert": the expert and the five projections (state_proj by train_state_proj). "backbone": that too, its vision
    encoder unless freeze_vision_encoder, its last layer never, nor the one before where the expert has fewer layers: as
    LeRobot. "all": the last layers too.
    """
    policy.requires_grad_(True)
    flow = policy.model
    backbone = flow.backbone
    backbone.requires_grad_(settings.train in (BACKBONE, ALL))
    if settings.freeze_vision_encoder:
        backbone.vision_model.requires_grad_(False)
    flow.state_proj.requires_grad_(settings.train_state_proj)
    language = backbone.text_model
    if settings.train == BACKBONE:
        fewer = len(flow.expert.layers) != len(language.layers)
        for layer in language.layers[-2 if fewer else -1 :]:
            layer.requires_grad_(False)
    last = language.layers[-1]
    unread: tuple[nn.Module, ...] = (
        language.norm,
        last.mlp,
        last.post_attention_layernorm,
        last.self_attn.q_proj,
        last.self_attn.o_proj,
    )
    for module in unread:
        module.requires_grad_(False)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Name -> parameter of those that learn."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
