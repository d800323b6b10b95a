"""A model's layers as training on a processor computes them; parameters, gradients and numbers stay the model's own."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from smolvla_ros.engines.choice import multiplies_bfloat16
from smolvla_ros.engines.cpu import pack_connector, pack_language, pack_vision
from smolvla_ros.engines.freed_memory import keep_freed_memory
from smolvla_ros.engines.packed_linear import PackedLinear, has_onednn
from smolvla_ros.engines.trained_linear import TrainedLinear
from smolvla_ros.model.flow_matching import FlowMatching
from smolvla_ros.model.linear import Linear

ROWS = 1024
"""Inputs of a batch, about: as many as leave weights where they are."""


class TrainingLayers(NamedTuple):
    """learning: for what gradients go through; forward_alone: for what none do. Either may be the model itself."""

    learning: FlowMatching
    forward_alone: FlowMatching


def training_layers(flow: FlowMatching) -> TrainingLayers:
    """Views of `flow` over its own parameters, which may go on changing where they learn and may not where they do not.

    A frozen part runs in an engine's packed layers, a linear layer that learns through oneDNN. On a GPU, without oneDNN
    and in types that the processor does not multiply both are `flow` itself.
    """
    weight = flow.expert.norm.weight
    frozen_type = flow.backbone.text_model.embed_tokens.weight.dtype
    fits = frozen_type is torch.float32 or (frozen_type is torch.bfloat16 and multiplies_bfloat16())
    if weight.device.type != "cpu" or not has_onednn() or not fits:
        return TrainingLayers(flow, flow)
    make_linear = partial(PackedLinear, dtype=frozen_type)
    learning, forward_alone = _view(flow), _view(flow)
    if _frozen(flow.backbone.vision_model):
        pack_vision(learning.backbone.vision_model, make_linear, ROWS)
        forward_alone.backbone.vision_model = learning.backbone.vision_model
    if _frozen(flow.backbone.connector):
        pack_connector(forward_alone.backbone.connector, make_linear, ROWS)
    if _frozen(flow.backbone.text_model):
        pack_language(forward_alone.backbone.text_model, make_linear, ROWS)
    if frozen_type is torch.float32:  # else under autocast, which torch's own layers know
        for parent in list(learning.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is Linear:
                    setattr(parent, name, TrainedLinear(child))
    keep_freed_memory()
    return TrainingLayers(learning, forward_alone)


def _view(flow: FlowMatching) -> FlowMatching:
    """Other modules, the same tensors."""
    return deepcopy(flow, {id(tensor): tensor for tensor in (*flow.parameters(), *flow.buffers())})


def _frozen(module: nn.Module) -> bool:
    return not any(parameter.requires_grad for parameter in module.parameters())
