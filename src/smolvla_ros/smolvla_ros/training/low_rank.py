"""LoRA: low-rank changes beside frozen matrices (arXiv 2106.09685), saved as PEFT saves them.

Which matrices: those that LeRobot's SmolVLA names to PEFT, the expert's queries and values and the five projections.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smolvla_ros.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, PREFIX
from smolvla_ros.model.linear import Linear
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.tensor_file import write_tensors
from smolvla_ros.training.draws import generator_of
from smolvla_ros.training.order import LOW_RANK_STREAM

TARGETS = (
    r"(model\.vlm_with_expert\.lm_expert\..*\.(q|v)_proj"
    r"|model\.(state_proj|action_in_proj|action_out_proj|action_time_mlp_in|action_time_mlp_out))"
)


class LowRankLinear(Linear):
    """W x + scale * B A x. A is random and B zero, so that training begins with the base's own numbers."""

    def __init__(self, base: nn.Linear, rank: int, scale: float, generator: torch.Generator) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.scale = base.in_features, base.out_features, scale
        self.weight, self.bias = base.weight, base.bias
        bound = 1 / math.sqrt(base.in_features)  # PEFT's: Kaiming uniform with a = sqrt(5)
        drawn = (torch.rand(rank, base.in_features, generator=generator) * 2 - 1) * bound
        self.lora_A = Linear(base.in_features, rank, bias=False)
        self.lora_B = Linear(rank, base.out_features, bias=False)
        self.lora_A.weight = nn.Parameter(drawn)
        self.lora_B.weight = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (self.lora_B(self.lora_A(x)) * self.scale).to(self.weight.dtype)


def add_low_rank(policy: SmolVLA, rank: int, alpha: float, seed: int) -> None:
    """Freezes the policy and puts changes that learn beside its target matrices."""
    policy.requires_grad_(False)
    for index, (name, module) in enumerate(list(policy.named_modules())):
        if isinstance(module, nn.Linear) and re.fullmatch(TARGETS, name):
            parent, _, leaf = name.rpartition(".")
            changed = LowRankLinear(module, rank, alpha / rank, generator_of(seed, LOW_RANK_STREAM, index))
            setattr(policy.get_submodule(parent), leaf, changed)


def save_low_rank(policy: SmolVLA, base: str, rank: int, alpha: float, folder: Path) -> None:
    """PEFT's two files. base: a folder, or a model of the hub, that holds what they change."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{PREFIX}{name}": p.detach().cpu().clone() for name, p in policy.named_parameters() if ".lora_" in name}
    write_tensors(folder / ADAPTER_WEIGHTS, tensors, {"format": "pt"})
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "auto_mapping": {
            "base_model_class": "SmolVLAPolicy",
            "parent_library": "lerobot.policies.smolvla.modeling_smolvla",
        },
        "base_model_name_or_path": base,
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "r": rank,
        "target_modules": TARGETS,
        "task_type": None,
    }
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n")
