"""A folder's weights: model.safetensors, or shards with an index; read as written, checked, and saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.json_file import read_json
from smolvla_ros.model.old_layout import public_name, statistic_of
from smolvla_ros.model.tensor_file import BROKEN, StoredTensor, read_headers, read_tensors, write_tensors

WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
LM_HEAD = "model.vlm_with_expert.vlm.lm_head.weight"
EMBEDDINGS = "model.vlm_with_expert.vlm.model.text_model.embed_tokens.weight"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NAMES_SHOWN = 3


class Merge(Protocol):
    """Changes to weights between reading and checking them, an adapter's."""

    def merge(self, tensors: dict[str, Tensor]) -> None: ...


@dataclass(frozen=True)
class Weights:
    """What a folder's weight files hold, from their headers.

    path: the file to name in messages. tensors: public name -> place. statistics: (owner, statistic) -> place, of an
    old checkpoint.
    """

    path: Path
    tensors: Mapping[str, StoredTensor]
    statistics: Mapping[tuple[str, str], StoredTensor]

    @property
    def files(self) -> list[Path]:
        return sorted({stored.file for stored in (*self.tensors.values(), *self.statistics.values())})


def find_weights(folder: Path, features: Iterable[str] = ()) -> Weights:
    """Headers only. `features` are those of config.json. Raises CheckpointError where a file is missing or broken."""
    index = folder / INDEX_FILE
    if not (folder / WEIGHTS_FILE).is_file() and index.is_file():
        path, stored = index, _sharded(index)
    else:
        path = folder / WEIGHTS_FILE
        stored = read_headers(path)
    features = tuple(features)
    tensors: dict[str, StoredTensor] = {}
    statistics: dict[tuple[str, str], StoredTensor] = {}
    for name, place in stored.items():
        public = public_name(name)
        statistic = statistic_of(public, features)
        if statistic:
            statistics[statistic] = place
        elif public in tensors:
            found = f"both {tensors[public].name} and {name}"
            raise mismatch(f"{path}: {public}", "one tensor", found, "remove the one that was not trained")
        else:
            tensors[public] = place
    return Weights(path, tensors, statistics)


def check_weights(weights: Weights, model: nn.Module) -> None:
    """That names, shapes and types are the model's, from headers. Raises CheckpointError."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = set(weights.tensors) - {LM_HEAD}
    missing, foreign = sorted(set(expected) - found), sorted(found - set(expected))
    if missing or foreign:
        listed = " and ".join(
            f"{len(names)} {what}: {', '.join(names[:NAMES_SHOWN])}{', ...' if len(names) > NAMES_SHOWN else ''}"
            for names, what in ((missing, "missing"), (foreign, "not of this model"))
            if names
        )
        remedy = "check num_vlm_layers, num_expert_layers and vlm_model_name in config.json, or copy the folder again"
        raise mismatch(str(weights.path), f"the {len(expected)} tensors that config.json describes", listed, remedy)
    for name, shape in expected.items():
        stored = weights.tensors[name]
        if stored.shape != shape:
            remedy = "config.json and model.safetensors are not of one checkpoint: copy the folder again"
            raise mismatch(f"{stored.file}: {name}", f"shape {list(shape)}", list(stored.shape), remedy)
        if stored.dtype not in DTYPES:
            raise mismatch(f"{stored.file}: {name}", "float32, bfloat16 or float16", stored.dtype, "convert the file")


def load_weights(model: nn.Module, weights: Weights, adapter: Merge | None = None, dtype: str | None = None) -> None:
    """Gives `model` the stored tensors, in their own types or in `dtype`. Raises CheckpointError, changing nothing.

    The head over the vocabulary, which the policy never reads, stays on disk.
    """
    check_weights(weights, model)
    tensors = _read({name: place for name, place in weights.tensors.items() if name != LM_HEAD})
    if adapter:
        adapter.merge(tensors)
    for name, tensor in tensors.items():
        if not _finite(tensor):
            remedy = "training diverged or the file is damaged: use an earlier checkpoint"
            raise mismatch(f"{weights.tensors[name].file}: {name}", "finite numbers", "NaN or infinity", remedy)
    if dtype:
        tensors = {name: tensor.to(DTYPES[dtype]) for name, tensor in tensors.items()}
    model.load_state_dict(tensors, assign=True)


def _finite(tensor: Tensor) -> bool:
    """One pass without a second tensor: a sum is finite only of finite numbers. Huge ones are looked at one by one."""
    return bool(torch.isfinite(tensor.sum(dtype=torch.float32)) or torch.isfinite(tensor).all())


def save_weights(model: nn.Module, path: Path, lm_head: Tensor | None = None) -> None:
    """Writes the public layout. LeRobot wants a head over the vocabulary: where none is given, the embeddings."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    embeddings = tensors[EMBEDDINGS]
    tensors[LM_HEAD] = (embeddings if lm_head is None else lm_head.to(embeddings.dtype)).clone()
    write_tensors(path, tensors, {"format": "pt"})


def read_lm_head(weights: Weights) -> Tensor | None:
    """The head over the vocabulary, None where no file holds one. Raises CheckpointError."""
    place = weights.tensors.get(LM_HEAD)
    return read_tensors(place.file, [place.name])[place.name] if place else None


def read_statistics(weights: Weights) -> dict[str, dict[str, Tensor]]:
    """An old checkpoint's statistics: owner -> statistic -> values. Raises CheckpointError."""
    statistics: dict[str, dict[str, Tensor]] = {}
    for (owner, statistic), place in weights.statistics.items():
        statistics.setdefault(owner, {})[statistic] = read_tensors(place.file, [place.name])[place.name]
    return statistics


def _read(places: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    by_file: dict[Path, dict[str, str]] = {}
    for name, place in places.items():
        by_file.setdefault(place.file, {})[place.name] = name
    tensors = {}
    for file, names in by_file.items():
        tensors.update({names[stored]: tensor for stored, tensor in read_tensors(file, names).items()})
    return tensors


def _sharded(index: Path) -> dict[str, StoredTensor]:
    shard_of = read_json(index, BROKEN).get("weight_map")
    plain = isinstance(shard_of, dict) and all(isinstance(f, str) and Path(f).name == f for f in shard_of.values())
    if not plain:
        raise mismatch(f"{index}: weight_map", "a mapping of tensors to files beside it", shard_of, BROKEN)
    assert isinstance(shard_of, dict)
    headers = {file: read_headers(index.parent / file) for file in sorted(set(shard_of.values()))}
    stored = {}
    for name, file in shard_of.items():
        if name not in headers[file]:
            raise mismatch(f"{index.parent / file}", f"the tensor {name}, as {INDEX_FILE} says", "none", BROKEN)
        stored[name] = headers[file][name]
    return stored
