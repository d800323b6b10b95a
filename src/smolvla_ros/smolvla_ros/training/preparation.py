"""A batch of the dataset's arrays to the batch that the model reads: by the checkpoint's own processors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS
from smolvla_ros.training.augmentation import augment
from smolvla_ros.training.draws import generator_of
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.order import AUGMENTATION_STREAM
from smolvla_ros.training.samples import TASK
from smolvla_ros.training.settings import TrainingSettings


class Preparation:
    """Normalises, tokenises, and moves to the device; cameras become (batch, 3, height, width) in [0, 1]."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, settings: TrainingSettings | None = None) -> None:
        """Of the settings, seed and whether to augment; None for pictures as they are."""
        self._checkpoint, self._device = checkpoint, device
        self._seed = settings.seed if settings and settings.augment else None

    def __call__(self, arrays: Mapping[str, Any], step: int | None = None, start: int = 0) -> dict[str, Tensor]:
        """step, start: of a batch to train on, whose pictures may be augmented; `start` is its first sample's place.

        Raises TrainingError where a key that the model reads is missing or misshapen.
        """
        checkpoint, config = self._checkpoint, self._checkpoint.config
        batch: dict[str, Tensor] = {}
        for name, value in arrays.items():
            if isinstance(value, Tensor):
                batch[name] = value.to(self._device)
        shapes = {STATE: (config.state_dim,), ACTION: (config.chunk_size, config.action_dim)}
        for name, shape in shapes.items():
            found = tuple(batch[name].shape[1:]) if name in batch else None
            if found != shape:
                raise mismatch(f"{name} of a sample", f"shape {shape}", found, "take samples of the checkpoint's robot")
        renames = checkpoint.processors.rename_map
        for name in [name for name in batch if name in renames]:
            batch[renames[name]] = batch.pop(name)
        for name in config.camera_features:
            if name in batch and batch[name].dtype == torch.uint8:
                batch[name] = batch[name].permute(0, 3, 1, 2).float().div_(255.0)
            if name in batch and self._seed is not None and step is not None:
                batch[name] = self._augmented(batch[name], name, step, start)
        state, actions = batch[STATE].cpu().float(), batch[ACTION].cpu().float()
        batch[STATE] = checkpoint.processors.state.forward(state).to(self._device)
        batch[ACTION] = checkpoint.processors.actions_to_model(actions, state).to(self._device)
        tokens, mask = checkpoint.tokenizer(arrays[TASK])
        return {**batch, TOKENS: tokens.to(self._device), TOKEN_MASK: mask.to(self._device)}

    def _augmented(self, images: Tensor, camera: str, step: int, start: int) -> Tensor:
        """Each by its own generator, so that it does not matter which process has it."""
        assert self._seed is not None
        which = self._checkpoint.config.camera_features.index(camera)
        places = range(start, start + len(images))
        streams = (generator_of(self._seed, AUGMENTATION_STREAM, step, place, which) for place in places)
        return torch.cat([augment(images[k : k + 1], stream) for k, stream in enumerate(streams)])
