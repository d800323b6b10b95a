"""What a checkpoint is, and whether it is sound, from its small files and the headers of its weights.

No weight is read: whether each is a finite number shows only on loading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smolvla_ros.model.checkpoint import empty_model
from smolvla_ros.model.checkpoint_files import CheckpointFiles, find_files
from smolvla_ros.model.config import ACTION, STATE, BackboneConfig, SmolVLAConfig
from smolvla_ros.model.expert import language_layer_count
from smolvla_ros.model.normalization import Normalizer, Statistics
from smolvla_ros.model.processors import Processors, has_processor_files, read_processor_files
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.model.tokenizer_source import find_tokenizer
from smolvla_ros.model.weights import LM_HEAD, Weights, check_weights, read_statistics


@dataclass(frozen=True)
class Check:
    """One question. `problem` says expected, found and remedy, empty where it fits; `detail` what was found then."""

    name: str
    detail: str = ""
    problem: str = ""

    @property
    def fits(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class Inspection:
    """`facts` by name, plain values. `processors` has IDENTITY where statistics are missing: `without_statistics`."""

    path: Path
    config: SmolVLAConfig
    facts: dict[str, Any]
    checks: list[Check]
    processors: Processors
    without_statistics: frozenset[str]


def check(name: str, question: Callable[[], str]) -> Check:
    """`question` returns what it found, or raises one of this package's errors, which are ValueErrors."""
    try:
        return Check(name, detail=question())
    except ValueError as error:
        return Check(name, problem=str(error))


def inspect_checkpoint(source: str | Path) -> Inspection:
    """All checks, whatever the first ones say. Raises CheckpointError where there is no config.json to read at all."""
    files = find_files(source)
    config = files.config()
    inspector = _Inspector(files, config)
    checks = [
        check("backbone", inspector.backbone_fits),
        check("weights", inspector.weights_fit),
        *([check("adapter", inspector.adapter_fits)] if files.adapter else []),
        *inspector.processors_fit(),
        check("tokenizer", inspector.tokenizer_fits),
    ]
    return Inspection(
        files.folder, config, inspector.facts(), checks, inspector.processors(), inspector.without_statistics
    )


def layout(files: CheckpointFiles, weights: Weights) -> list[str]:
    """How it is stored, in the words of an operator."""
    shards = len(weights.files)
    words = ["one file" if shards == 1 else f"{shards} shards"]
    if files.adapter:
        words.append(f"LoRA adapter of rank {files.adapter.rank} on {files.adapter.base}")
    if any(place.name != name for name, place in weights.tensors.items()):
        words.append("names of a compiled training run")
    if has_processor_files(files.processor_folder):
        words.append("processor files (LeRobot 0.4 or newer)")
    elif weights.statistics:
        words.append("statistics among the weights (LeRobot before 0.4)")
    else:
        words.append("no processor files")
    return words


class _Inspector:
    """Holds what the checks found on the way: None where a part could not be read."""

    def __init__(self, files: CheckpointFiles, config: SmolVLAConfig) -> None:
        self.files, self.config = files, config
        self.backbone: BackboneConfig | None = None
        self.weights: Weights | None = None
        self.tokenizer_found_at = ""
        self.rename_map: dict[str, str] = {}
        self.newline, self.max_length = True, config.tokenizer_max_length
        self.normalizers: dict[str, Normalizer] = {}
        self.relative: RelativeActions | None = None
        self.statistics: Statistics = {}

    @property
    def without_statistics(self) -> frozenset[str]:
        return frozenset({STATE, ACTION} - set(self.normalizers))

    def backbone_fits(self) -> str:
        self.backbone = self.files.backbone(self.config)
        empty_model(self.files, self.config, self.backbone)
        return self.config.vlm_model_name

    def weights_fit(self) -> str:
        self.weights = self.files.weights(self.config)
        if self.backbone is None:
            raise ValueError(f"{self.weights.path}: not compared, for the size of the backbone is not known")
        model = empty_model(self.files, self.config, self.backbone)
        check_weights(self.weights, model)
        return f"{len(self.weights.tensors)} tensors, whose names and shapes are those that config.json describes"

    def adapter_fits(self) -> str:
        adapter = self.files.adapter
        assert adapter is not None
        if self.weights is None:
            raise ValueError(f"{adapter.folder}: not compared, for its base cannot be read")
        adapter.check(self.weights)
        return f"changes {len(adapter.low_rank) + len(adapter.whole)} tensors of its base"

    def processors_fit(self) -> list[Check]:
        in_weights: Statistics = {}

        def files_fit() -> str:
            nonlocal in_weights
            in_weights = read_statistics(self.weights) if self.weights else {}
            found = read_processor_files(self.files.processor_folder, self.config, in_weights)
            self.rename_map, self.newline, self.max_length = dict(found.rename_map), found.newline, found.max_length
            self.relative = found.relative
            return f"instructions up to {found.max_length} tokens"

        def statistics_fit(feature: str) -> str:
            found = read_processor_files(self.files.processor_folder, self.config, in_weights)
            normalizer, statistics = found.normalizer(feature, self.config)
            self.normalizers[feature] = normalizer
            self.statistics = {**self.statistics, **statistics}
            return f"{normalizer.mode} from {Path(found.where[feature]).name}"

        first = check("processor files", files_fit)
        if not first.fits:
            return [first]
        return [
            first,
            check(f"statistics of {STATE}", lambda: statistics_fit(STATE)),
            check(f"statistics of {ACTION}", lambda: statistics_fit(ACTION)),
        ]

    def tokenizer_fits(self) -> str:
        name = self.config.vlm_model_name
        tokenizer, self.tokenizer_found_at = find_tokenizer(self.files.folders, name, self.max_length, self.newline)
        if self.backbone:
            tokenizer.check(self.backbone.text.vocab_size, self.tokenizer_found_at)
        if self.config.add_image_special_tokens:
            tokenizer.image_token_ids()
        return self.tokenizer_found_at

    def processors(self) -> Processors:
        none = Normalizer("IDENTITY", torch.empty(0), torch.empty(0))
        state, action = (self.normalizers.get(feature, none) for feature in (STATE, ACTION))
        return Processors(self.rename_map, self.newline, self.max_length, state, action, self.statistics, self.relative)

    def facts(self) -> dict[str, Any]:
        config = self.config
        facts: dict[str, Any] = {"folder": str(self.files.folder)}
        if self.weights:
            facts |= _weight_facts(self.files, self.weights)
        if self.backbone:
            facts |= _backbone_facts(config, self.backbone)
        facts |= {
            "attention_mode": config.attention_mode,
            "self_attention_every": config.self_attn_every_n_layers,
            "chunk_size": config.chunk_size,
            "n_action_steps": config.n_action_steps,
            "denoise_steps": config.num_steps,
            "cameras": list(config.camera_features),
            "cameras_that_may_be_missing": config.empty_cameras,
            "rename_map": self.rename_map,
            "state_dim": config.state_dim,
            "action_dim": config.action_dim,
            "relative_actions": self.relative is not None,
            "normalization": {kind: config.normalization(kind) for kind in ("STATE", "ACTION")},
            "centres": {f: _rounded(n) for f, n in self.normalizers.items() if n.mode != "IDENTITY"},
            "tokenizer": self.tokenizer_found_at or None,
        }
        return facts


def _weight_facts(files: CheckpointFiles, weights: Weights) -> dict[str, Any]:
    by_type: Counter[str] = Counter()
    for place in weights.tensors.values():
        by_type[place.dtype] += place.size
    return {
        "layout": layout(files, weights),
        "bytes": sum(file.stat().st_size for file in weights.files),
        "parameters": sum(by_type.values()),
        "parameters_used": sum(p.size for name, p in weights.tensors.items() if name != LM_HEAD),
        "parameters_by_type": dict(by_type.most_common()),
        "adapter": None
        if files.adapter is None
        else {
            "base": files.adapter.base,
            "rank": files.adapter.rank,
            "low_rank_tensors": len(files.adapter.low_rank),
            "whole_tensors": len(files.adapter.whole),
        },
    }


def _backbone_facts(config: SmolVLAConfig, backbone: BackboneConfig) -> dict[str, Any]:
    vision, side = backbone.vision, backbone.vision.image_size
    if config.resize_imgs_with_padding:
        side = config.resize_imgs_with_padding[0]
    language_layers = language_layer_count(config, backbone.text)
    return {
        "backbone": config.vlm_model_name,
        "vlm_layers": language_layers,
        "expert_layers": config.num_expert_layers if config.num_expert_layers > 0 else language_layers,
        "text_width": backbone.text.hidden_size,
        "vision_layers": vision.num_hidden_layers,
        "vision_width": vision.hidden_size,
        "image_side": side,
        "tokens_per_camera": (side // (vision.patch_size * backbone.scale_factor)) ** 2,
    }


def _rounded(normalizer: Normalizer) -> list[float]:
    return [round(value, 2) for value in normalizer.centre_and_spread()[0].tolist()]
