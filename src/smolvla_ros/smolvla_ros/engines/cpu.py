"""The engines for processors: the model's layers replaced by packed ones, one at a time, each freed as it is packed."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from smolvla_ros.engines.decoder_block import PackedBlock
from smolvla_ros.engines.encoder_layer import PackedEncoderLayer
from smolvla_ros.engines.freed_memory import keep_freed_memory
from smolvla_ros.engines.packed_linear import PackedLinear
from smolvla_ros.engines.rows import EngineLinear, LinearMaker, Rows
from smolvla_ros.model.connector import Connector
from smolvla_ros.model.language import Block, LanguageModel
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.vision import EncoderLayer, VisionTower

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
    pack_vision(flow.backbone.vision_model, perception, CAMERAS * patches)
    pack_connector(flow.backbone.connector, perception, image_rows)
    pack_language(flow.backbone.text_model, perception, image_rows + WORDS + 1)

    expert = flow.expert
    blocks = cast(nn.ModuleList, expert.layers)
    for place, block in zip(expert.plan, blocks, strict=True):
        blocks[place.index] = PackedBlock(cast(Block, block), action, expert.chunk, crosses=place.crosses, last=False)

    float32 = partial(PackedLinear, dtype=torch.float32)
    for name in ("state_proj", "action_in_proj", "action_time_mlp_in", "action_time_mlp_out", "action_out_proj"):
        setattr(flow, name, Unwrapped(float32((getattr(flow, name),), expert.chunk)))
    keep_freed_memory()  # from here on: what packing frees goes back


def pack_vision(tower: VisionTower, make_linear: LinearMaker, rows: int) -> None:
    """Replaces the tower's layers. rows: patches at a time, about."""
    for index, layer in enumerate(tower.encoder.layers):
        tower.encoder.layers[index] = PackedEncoderLayer(cast(EncoderLayer, layer), make_linear, rows)
    tower.post_layernorm = deepcopy(tower.post_layernorm).float()


def pack_connector(connector: Connector, make_linear: LinearMaker, rows: int) -> None:
    connection = connector.modality_projection
    connection.proj = Unwrapped(make_linear((connection.proj,), rows))  # type: ignore[assignment]


def pack_language(language: LanguageModel, make_linear: LinearMaker, rows: int) -> None:
    """Replaces the blocks, of the last of which only keys and values are kept."""
    blocks = cast(nn.ModuleList, language.layers)
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        blocks[index] = PackedBlock(cast(Block, block), make_linear, rows, crosses=False, last=last)
