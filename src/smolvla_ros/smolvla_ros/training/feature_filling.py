"""Fills a cache of image tokens: `smolvla train --cache-features FOLDER`, before the first step."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import torch
from tqdm import tqdm

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.engines.training import training_layers
from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.training.dataset_samples import DatasetSamples
from smolvla_ros.training.errors import TrainingError, mismatch
from smolvla_ros.training.feature_cache import CachedSamples, FeatureCache, identity_of
from smolvla_ros.training.preparation import Preparation
from smolvla_ros.training.samples import batches
from smolvla_ros.training.settings import EXPERT, LORA, TrainingSettings

ROWS_AT_A_TIME = 16


def cached_samples(
    checkpoint: Checkpoint,
    dataset: Dataset,
    cameras: Mapping[str, str],
    settings: TrainingSettings,
    folder: Path,
    device: str,
    stream: TextIO | None = sys.stderr,
) -> CachedSamples:
    """The dataset's samples, their tokens found where they are missing; a fill that was stopped goes on.

    Casts the backbone to the type of the computation, as training does with what is frozen.
    Raises TrainingError: tokens would change while training, the folder holds others, several processes would fill it.
    """
    if settings.train not in (EXPERT, LORA):
        remedy = "leave out --cache-features"
        raise mismatch("--cache-features with train", f"{EXPERT} or {LORA}", settings.train, remedy)
    if settings.augment:
        raise mismatch("--cache-features with augment", "pictures as they are", "augment", "leave out one of them")
    if folder.resolve().is_relative_to(dataset.root.resolve()):
        raise mismatch("--cache-features", f"a folder outside {dataset.root}", folder, "name another")
    flow = checkpoint.model.model
    samples = DatasetSamples(dataset, cameras, checkpoint.config.chunk_size)
    cache = FeatureCache(folder, identity_of(flow, dataset, cameras, settings.dtype))
    missing = cache.missing
    if not len(missing):
        return CachedSamples(samples, cache)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError(
            f"{folder}: expected all image tokens with several processes, found {len(missing)} missing; "
            "begin the run with one process first"
        )
    flow.to(device)
    flow.requires_grad_(False)
    for parameter in flow.backbone.parameters():
        parameter.data = parameter.data.to(getattr(torch, settings.dtype))
    layers, prepare = training_layers(flow).forward_alone, Preparation(checkpoint, torch.device(device))
    rows = [missing[k : k + ROWS_AT_A_TIME].tolist() for k in range(0, len(missing), ROWS_AT_A_TIME)]
    kind = torch.device(device).type
    half = torch.autocast(kind, torch.bfloat16) if settings.dtype == "bfloat16" else nullcontext()
    names = [name for name in checkpoint.config.camera_features if name in cameras.values()]
    with tqdm(total=len(missing), desc="image tokens", unit="row", file=stream, disable=stream is None) as bar:
        for wanted, arrays in zip(rows, batches(samples, rows, settings.workers), strict=True):
            with torch.no_grad(), half:
                tokens = layers.embed_cameras(model_inputs(prepare(arrays), checkpoint.config))
            kept = {name: value for name, value in zip(names, tokens, strict=True) if value is not None}
            cache.keep(wanted, {name: value.to(getattr(torch, settings.dtype)) for name, value in kept.items()})
            bar.update(len(wanted))
    return CachedSamples(samples, cache)
