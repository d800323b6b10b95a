"""The engines for processors: the model's layers replaced by packed ones, one at a time, each freed as it is packed."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from smolvla_ros.engines.decoder_block import PackedBlock
from smolvla_ros.engines.encoder_layer import PackedEncoderLayer
from smolvla_ros.engines.freed_memory import keep_freed_memory
from smolvla_ros.engines.packed_linear import PackedLinear
from smolvla_ros.engines.rows import EngineLinear, LinearMaker, Rows
from smolvla_ros.model.language import Block
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.vision import EncoderLayer

CAMERAS, WORDS = 2, 12
"""The rows that layouts are chosen for; any other number works."""


class Unwrapped(nn.Module):
    """An engine's layer in the model's own place: a tensor in, a tensor out."""

    def __init__(self, layer: EngineLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(Rows(x)).values


def pack(model: SmolVLA, perception: LinearMaker, action: LinearMaker) -> None:
    """Replaces the layers of `model`; it can no longer be trained or saved.

    perception: makes the linear layers of the vision encoder, the connector and the language model; action: the
    expert's. Attention computes in the type of their results. The projections of states, actions and flow times stay
    float32, as published, and so does what runs from layer to layer.
    """
    flow, backbone = model.model, model.backbone
    patches = (backbone.vision.image_size // backbone.vision.patch_size) ** 2
    image_rows = CAMERAS * patches // backbone.scale_factor**2
    tower, language, expert = flow.backbone.vision_model, flow.backbone.text_model, flow.expert

    for index, layer in enumerate(tower.encoder.layers):
        tower.encoder.layers[index] = PackedEncoderLayer(cast(EncoderLayer, layer), perception, CAMERAS * patches)
    tower.post_layernorm.float()
    connection = flow.backbone.connector.modality_projection
    connection.proj = Unwrapped(perception((connection.proj,), image_rows))  # type: ignore[assignment]

    blocks, rows = cast(nn.ModuleList, language.layers), image_rows + WORDS + 1
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        blocks[index] = PackedBlock(cast(Block, block), perception, rows, crosses=False, last=last)

    blocks = cast(nn.ModuleList, expert.layers)
    for place, block in zip(expert.plan, blocks, strict=True):
        blocks[place.index] = PackedBlock(cast(Block, block), action, expert.chunk, crosses=place.crosses, last=False)

    float32 = partial(PackedLinear, dtype=torch.float32)
    for name in ("state_proj", "action_in_proj", "action_time_mlp_in", "action_time_mlp_out", "action_out_proj"):
        setattr(flow, name, Unwrapped(float32((getattr(flow, name),), expert.chunk)))
    keep_freed_memory()  # from here on: what packing frees goes back
