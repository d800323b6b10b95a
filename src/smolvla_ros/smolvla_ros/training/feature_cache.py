"""What a frozen vision encoder makes of a dataset's frames, found once and kept on disk, so that no step runs it again.

    FOLDER/features.json              of which weights, dataset, cameras and image size, and in which type
    FOLDER/<camera>.npy               image tokens (rows, tokens, width), bfloat16 as its bits
    FOLDER/done.npy                   (rows,) bool: which are there

Good for pictures that never change: without augmentation, and while encoder and connector learn nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.whole_file import whole_file
from smolvla_ros.model.config import SmolVLAConfig
from smolvla_ros.model.flow_matching import FlowMatching
from smolvla_ros.model.inputs import ModelInputs, inputs_without_images
from smolvla_ros.model.json_file import read_json
from smolvla_ros.training.dataset_samples import DatasetSamples
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.samples import Arrays

IDENTITY_FILE, DONE_FILE = "features.json", "done.npy"
FEATURES = "features."
"""Begins the key of a camera's image tokens in a batch."""
REMEDY = "name another folder, or delete this one to have it made anew"
STORED = {"float32": np.float32, "bfloat16": np.uint16}


class FeatureCache:
    """Image tokens of every row and camera. One process fills it, any number read it."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Opens what is there, or makes room. identity: see `identity_of`. Raises TrainingError: the folder holds
        something else, or the disk has no room.
        """
        self.folder, self._identity = folder, dict(identity)
        if (folder / IDENTITY_FILE).exists():
            held = read_json(folder / IDENTITY_FILE, REMEDY)
            for name, wanted in self._identity.items():
                if held.get(name) != wanted:
                    raise mismatch(f"{folder}: {name}", f"{wanted}, as of this run", held.get(name), REMEDY)
        else:
            self._make_room()
        self._tokens = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in identity["cameras"]}
        self._done = np.load(folder / DONE_FILE, mmap_mode="r+")

    @property
    def missing(self) -> np.ndarray:
        """Rows that are not there yet."""
        return np.flatnonzero(~self._done)

    def keep(self, rows: Sequence[int], tokens: Mapping[str, Tensor]) -> None:
        """tokens: camera -> (rows, tokens, width)."""
        places = np.asarray(rows)
        for name, values in tokens.items():
            self._tokens[name][places] = _bits(values.cpu())
            self._tokens[name].flush()
        self._done[places] = True  # last, so that a row is never taken for whole before it is
        self._done.flush()

    def read(self, rows: Sequence[int]) -> dict[str, np.ndarray]:
        """Under the keys that `cached_inputs` looks for."""
        places = np.asarray(rows)
        return {f"{FEATURES}{name}": values[places] for name, values in self._tokens.items()}

    def _make_room(self) -> None:
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise mismatch(self.folder, "image tokens, or a new or an empty folder", "other files", REMEDY)
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self._identity
        shape, kind = (about["rows"], about["tokens"], about["width"]), STORED[about["dtype"]]
        needed = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize * len(about["cameras"])
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            remedy = "name a folder on a larger disk, or train without"
            raise mismatch(self.folder, f"{needed / 1e9:.2f} GB free", f"{free / 1e9:.2f} GB", remedy)
        for name in about["cameras"]:
            np.lib.format.open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)
        np.save(self.folder / DONE_FILE, np.zeros(about["rows"], dtype=bool))
        with whole_file(self.folder / IDENTITY_FILE) as path:
            path.write_text(json.dumps(about, indent=2) + "\n")


class CachedSamples:
    """A dataset's samples with image tokens in place of pictures, none of which is decoded."""

    def __init__(self, samples: DatasetSamples, cache: FeatureCache) -> None:
        self._samples, self._cache = samples.without_pictures(), cache

    def __len__(self) -> int:
        return len(self._samples)

    def batch(self, indices: Sequence[int]) -> Arrays:
        return {**self._samples.batch(indices), **self._cache.read(indices)}


def identity_of(flow: FlowMatching, dataset: Dataset, cameras: Mapping[str, str], dtype: str) -> dict[str, Any]:
    """What tokens depend on. cameras: the dataset's feature -> the checkpoint's."""
    backbone, config = flow.backbone, flow.config
    vision = backbone.vision_model.embeddings
    return {
        "dtype": dtype,  # first, as it changes the hash of the weights too
        "weights": _hash_of_weights(flow, getattr(torch, dtype)),
        "dataset": _hash_of_dataset(dataset),
        "cameras": {name: feature for feature, name in sorted(cameras.items())},
        "image_size": list(config.resize_imgs_with_padding or ()) or None,
        "rows": len(dataset),
        "tokens": (vision.side // backbone.connector.scale_factor) ** 2,
        "width": backbone.text_model.embed_tokens.embedding_dim,
    }


def cached_inputs(
    batch: Mapping[str, Tensor], config: SmolVLAConfig, dtype: torch.dtype
) -> tuple[ModelInputs, tuple[Tensor, ...]] | None:
    """Inputs and image tokens of a batch of CachedSamples, None of another. dtype: that of the frozen weights."""
    names = [name for name in config.camera_features if f"{FEATURES}{name}" in batch]
    if not names:
        return None
    tokens = tuple(batch[f"{FEATURES}{name}"].view(dtype) for name in names)
    present = torch.ones(len(tokens[0]), dtype=torch.bool, device=tokens[0].device)
    # the tokens stand where pictures would, which nobody looks at once their tokens are known
    inputs = replace(inputs_without_images(batch, config), images=tokens, image_valid=(present,) * len(tokens))
    return inputs, tokens


def _bits(values: Tensor) -> np.ndarray:
    return (values.view(torch.uint16) if values.dtype is torch.bfloat16 else values).numpy()


def _hash_of_weights(flow: FlowMatching, dtype: torch.dtype) -> str:
    """As the computation rounds them, so that a run goes on from a checkpoint that holds them rounded."""
    found = hashlib.sha256()
    for part in (flow.backbone.vision_model, flow.backbone.connector):
        for name, value in sorted(part.state_dict().items()):
            found.update(name.encode())
            found.update(value.detach().to(dtype).float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _hash_of_dataset(dataset: Dataset) -> str:
    """Of all that describes it, and of names and sizes of what it holds."""
    found = hashlib.sha256()
    for folder, _, files in sorted(os.walk(dataset.root)):
        for file in sorted(files):
            path = Path(folder, file)
            within = path.relative_to(dataset.root)
            found.update(f"{within} {path.stat().st_size}".encode())
            if within.parts[0] == "meta":
                found.update(path.read_bytes())
    return found.hexdigest()
