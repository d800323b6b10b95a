"""A LoRA adapter's folder: low-rank changes to a base checkpoint, merged into its weights at load.

adapter_config.json names the base, a folder or a model of the hub; adapter_model.safetensors holds for each changed
matrix W two thin ones, and W becomes W + scale * B A, computed in float32. Modules trained whole replace the base's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.json_file import read_json
from smolvla_ros.model.old_layout import public_name
from smolvla_ros.model.tensor_file import BROKEN, StoredTensor, read_headers, read_tensors
from smolvla_ros.model.weights import DTYPES, NAMES_SHOWN, Weights

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
LORA_KEY = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight")
WHOLE_KEY = re.compile(r"\.modules_to_save(?:\.default)?|\.base_layer")
UNSUPPORTED = (
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "fan_in_fan_out",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "alora_invocation_tokens",
    "arrow_config",
)
CHANGES_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
MERGE_REMEDY = "merge it into its base where it was trained (PEFT's merge_and_unload) and use the merged checkpoint"
WRONG_BASE = "the adapter was trained on another base: set base_model_name_or_path to that one"


@dataclass(frozen=True)
class Adapter:
    """`low_rank`: weight name -> places of A (r, in) and B (out, r). `whole`: weight name -> place."""

    folder: Path
    base: str
    revision: str | None
    rank: int
    scales: Mapping[str, float]
    low_rank: Mapping[str, tuple[StoredTensor, StoredTensor]]
    whole: Mapping[str, StoredTensor]

    def check(self, weights: Weights) -> None:
        """That it changes tensors that the base has, of the shapes that the base has. Raises CheckpointError."""
        where = self.folder / ADAPTER_WEIGHTS
        foreign = sorted((set(self.low_rank) | set(self.whole)) - set(weights.tensors))
        if foreign:
            found = f"{len(foreign)} not of it: {', '.join(foreign[:NAMES_SHOWN])}"
            raise mismatch(str(where), f"changes to tensors of {weights.path}", found, WRONG_BASE)
        for name, (a, b) in self.low_rank.items():
            expected, found_shape = weights.tensors[name].shape, (*b.shape[:1], *a.shape[1:])
            if expected != found_shape:
                raise mismatch(f"{where}: {name}", f"shape {list(expected)}", list(found_shape), WRONG_BASE)
        for name, place in self.whole.items():
            if place.shape != weights.tensors[name].shape:
                expected = weights.tensors[name].shape
                raise mismatch(f"{where}: {name}", f"shape {list(expected)}", list(place.shape), WRONG_BASE)

    def merge(self, tensors: dict[str, Tensor]) -> None:
        """Replaces the changed tensors by merged ones, in the base's types."""
        changes = read_tensors(self.folder / ADAPTER_WEIGHTS)
        for name, (a, b) in self.low_rank.items():
            change = changes[b.name].float() @ changes[a.name].float()
            weight = tensors[name]
            tensors[name] = (weight.float() + self.scales[name] * change).to(weight.dtype)
        for name, place in self.whole.items():
            if name in tensors:  # the unused head is not loaded
                tensors[name] = changes[place.name].to(tensors[name].dtype)


def read_adapter(folder: Path) -> Adapter | None:
    """The folder's adapter, from its headers; None where it holds none. Raises CheckpointError."""
    path = folder / ADAPTER_CONFIG
    if not path.is_file():
        return None
    config = read_json(path, BROKEN)
    _check_supported(path, config)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str) or not base or not isinstance(revision, str | None):
        remedy = "name the checkpoint that it was trained on, a folder or a model of the hub"
        raise mismatch(f"{path}: base_model_name_or_path", "a base checkpoint", base, remedy)
    headers = read_headers(folder / ADAPTER_WEIGHTS)
    low_rank, whole = _sort_out(folder / ADAPTER_WEIGHTS, headers)
    rank = config.get("r")
    scales = {}
    for name, (a, b) in low_rank.items():
        module = name.removesuffix(".weight")
        rows = int(_pattern(path, config, "rank_pattern", module, rank))
        if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != rows or b.shape[1] != rows:
            where, found = f"{folder / ADAPTER_WEIGHTS}: {name}", f"A {list(a.shape)}, B {list(b.shape)}"
            raise mismatch(where, f"matrices of rank {rows}, as r in {ADAPTER_CONFIG} says", found, BROKEN)
        alpha = _pattern(path, config, "alpha_pattern", module, config.get("lora_alpha"))
        scales[name] = alpha / (math.sqrt(rows) if config.get("use_rslora") else rows)
    return Adapter(folder, base, revision, int(rank or 0), scales, low_rank, whole)


def _check_supported(path: Path, config: Mapping[str, Any]) -> None:
    kind, bias, start = config.get("peft_type"), config.get("bias", "none"), config.get("init_lora_weights")
    if kind != "LORA":
        raise mismatch(f"{path}: peft_type", "LORA", kind, MERGE_REMEDY)
    if bias != "none":
        raise mismatch(f"{path}: bias", "none", bias, MERGE_REMEDY)
    for name in UNSUPPORTED:
        if config.get(name):
            raise mismatch(f"{path}: {name}", "none", config[name], MERGE_REMEDY)
    if isinstance(start, str) and start.lower().startswith(CHANGES_THE_BASE):
        raise mismatch(f"{path}: init_lora_weights", "a start that leaves the base as it is", start, MERGE_REMEDY)


def _sort_out(
    path: Path, headers: Mapping[str, StoredTensor]
) -> tuple[dict[str, tuple[StoredTensor, StoredTensor]], dict[str, StoredTensor]]:
    sides: dict[str, dict[str, StoredTensor]] = {}
    whole = {}
    for key, place in headers.items():
        if not key.startswith(PREFIX):
            raise mismatch(f"{path}: {key}", f"names that begin with {PREFIX}", key, MERGE_REMEDY)
        if place.dtype not in DTYPES:
            raise mismatch(f"{path}: {key}", "float32, bfloat16 or float16", place.dtype, MERGE_REMEDY)
        name = public_name(key.removeprefix(PREFIX))
        low_rank = LORA_KEY.fullmatch(name)
        if low_rank:
            sides.setdefault(f"{low_rank['module']}.weight", {})[low_rank["side"]] = place
        elif ".lora_" in name:
            raise mismatch(f"{path}: {key}", "lora_A.weight and lora_B.weight alone", key, MERGE_REMEDY)
        else:
            whole[WHOLE_KEY.sub("", name)] = place
    halves = sorted(name for name, found in sides.items() if len(found) != 2)
    if halves:
        raise mismatch(f"{path}: {halves[0]}", "lora_A and lora_B", "one of them", BROKEN)
    if not sides and not whole:
        raise CheckpointError(f"{path}: expected changes to a base, found an empty file; {BROKEN}")
    return {name: (found["A"], found["B"]) for name, found in sides.items()}, whole


def _pattern(path: Path, config: Mapping[str, Any], field: str, module: str, default: Any) -> float:
    """The value for one module: that of the first pattern that its name ends with, else the one for all."""
    patterns = config.get(field) or {}
    if not isinstance(patterns, Mapping):
        raise mismatch(f"{path}: {field}", "a mapping", patterns, BROKEN)
    try:
        value = next((v for key, v in patterns.items() if re.fullmatch(rf"(.*\.)?({key})", module)), default)
    except re.error as error:
        raise mismatch(f"{path}: {field}", "regular expressions", error, BROKEN) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        name = {"rank_pattern": "r", "alpha_pattern": "lora_alpha"}[field]
        raise mismatch(f"{path}: {name}", "a number above 0", value, BROKEN)
    return value
