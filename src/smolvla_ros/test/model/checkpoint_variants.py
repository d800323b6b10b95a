"""The same checkpoint as others would have stored it: each function changes a folder in place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WEIGHTS = "model.safetensors"
Q_PROJ = "model.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.weight"
STATE_PROJ = "model.state_proj.weight"


def edit_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def compile_names(folder: Path) -> None:
    tensors = {n.replace("model.", "model._orig_mod.", 1): t for n, t in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)


def shard(folder: Path, parts: int = 3) -> None:
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    weight_map = {}
    for part in range(parts):
        names = sorted(tensors)[part::parts]
        file = f"model-{part + 1:05}-of-{parts:05}.safetensors"
        save_file({name: tensors[name] for name in names}, folder / file)
        weight_map.update(dict.fromkeys(names, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def put_statistics_among_weights(folder: Path, variant: str = "", unset: bool = False) -> None:
    """As LeRobot did before 0.4, which wrote no processor files."""
    statistics = load_file(next(folder.glob("policy_preprocessor*.safetensors")))
    for path in folder.glob("policy_*"):
        path.unlink()
    tensors = load_file(folder / WEIGHTS)
    places = {
        "normalize_inputs": "observation.state",
        "normalize_targets": "action",
        "unnormalize_outputs": "action",
    }
    for place, feature in places.items():
        for name in ("mean", "std"):
            value = statistics[f"{feature}.{name}"].clone()
            key = f"{place}.{variant and variant + '_'}buffer_{feature.replace('.', '_')}.{name}"
            tensors[key] = torch.full_like(value, torch.inf) if unset else value
    save_file(tensors, folder / WEIGHTS)


def rename_statistics(folder: Path, prefix: str, features: tuple[str, ...] = ("observation.state", "action")) -> None:
    """Under `prefix.buffer.`, as the public base checkpoint has them; features not named are dropped."""
    for path in folder.glob("policy_*.safetensors"):
        tensors = {f"{prefix}.buffer.{k}": v for k, v in load_file(path).items() if k.rpartition(".")[0] in features}
        save_file(tensors, path)


def write_adapter(folder: Path, base: str, tensors: Mapping[str, Tensor], **settings: object) -> Path:
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none", "target_modules": ".*q_proj"}
    config |= {"base_model_name_or_path": base, **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "adapter_model.safetensors")
    return folder


def low_rank(name: str, rows: int, columns: int, rank: int = 2, seed: int = 0) -> dict[str, Tensor]:
    """A and B of one weight, by PEFT's names."""
    generator, module = torch.Generator().manual_seed(seed), f"base_model.model.{name.removesuffix('.weight')}"
    return {
        f"{module}.lora_A.weight": torch.randn(rank, columns, generator=generator),
        f"{module}.lora_B.weight": torch.randn(rows, rank, generator=generator),
    }
