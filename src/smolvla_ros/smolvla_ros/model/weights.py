"""Tensors on disk: safetensors only, never pickle."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from smolvla_ros.model.errors import CheckpointError, mismatch

WEIGHTS_FILE = "model.safetensors"
LM_HEAD = "model.vlm_with_expert.vlm.lm_head.weight"
EMBEDDINGS = "model.vlm_with_expert.vlm.model.text_model.embed_tokens.weight"
FLOATS = (torch.float32, torch.bfloat16, torch.float16)
NAMES_SHOWN = 3


def read_tensors(path: Path, skip: Container[str] = ()) -> dict[str, Tensor]:
    """All tensors of a file but those named in `skip`, which are not read. Raises CheckpointError."""
    if not path.is_file():
        raise mismatch(str(path), "a file", "none", "copy the whole folder of the checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name not in skip}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise mismatch(str(path), "a whole safetensors file", error, "download or copy it again") from None


def load_weights(model: nn.Module, path: Path) -> None:
    """Gives `model` the file's tensors in the file's own types. Raises CheckpointError before anything is changed.

    The head over the vocabulary, which the policy never reads, stays on disk.
    """
    tensors = read_tensors(path, skip=(LM_HEAD,))
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    missing, foreign = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing or foreign:
        found = " and ".join(
            f"{len(names)} {what}: {', '.join(names[:NAMES_SHOWN])}{', ...' if len(names) > NAMES_SHOWN else ''}"
            for names, what in ((missing, "missing"), (foreign, "not of this model"))
            if names
        )
        remedy = "check num_vlm_layers, num_expert_layers and vlm_model_name in config.json, or copy the folder again"
        raise mismatch(str(path), f"the {len(expected)} tensors that config.json describes", found, remedy)
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != expected[name]:
            remedy = "config.json and model.safetensors are not of one checkpoint: copy the folder again"
            raise mismatch(f"{path}: {name}", f"shape {list(expected[name])}", list(tensor.shape), remedy)
        if tensor.dtype not in FLOATS:
            raise mismatch(f"{path}: {name}", "float32, bfloat16 or float16", tensor.dtype, "convert the file")
        if not torch.isfinite(tensor).all():
            remedy = "training diverged or the file is damaged: use an earlier checkpoint"
            raise mismatch(f"{path}: {name}", "finite numbers", "NaN or infinity", remedy)
    model.load_state_dict(tensors, assign=True)


def save_weights(model: nn.Module, path: Path, lm_head: Tensor | None = None) -> None:
    """Writes the public layout. LeRobot wants a head over the vocabulary: where none is given, the embeddings."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors[LM_HEAD] = (tensors[EMBEDDINGS] if lm_head is None else lm_head).clone()
    save_file(tensors, path, metadata={"format": "pt"})


def read_lm_head(path: Path) -> Tensor | None:
    """The head over the vocabulary, None where the file has none. Raises CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(LM_HEAD) if LM_HEAD in file.keys() else None  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: expected a safetensors file, found: {error}; copy it again") from None
