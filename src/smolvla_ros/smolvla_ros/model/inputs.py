"""What the model reads, made from a batch in the public key names.

`observation.images.<camera>` (B, 3, H, W) float in [0, 1], with `<key>_padding_mask` (B,) bool where some lack it;
`observation.state` (B, D) normalised; `observation.language.tokens` (B, L) int64 and `.attention_mask` (B, L) bool;
for training `action` (B, chunk, D) normalised and `action_is_pad` (B, chunk) bool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from smolvla_ros.model.config import ACTION, STATE, SmolVLAConfig
from smolvla_ros.model.letterbox import letterbox

TOKENS, TOKEN_MASK = "observation.language.tokens", "observation.language.attention_mask"


@dataclass(frozen=True)
class ModelInputs:
    """images: one (B, 3, side, side) in [-1, 1] for each camera present; image_valid: (B,) bool for each of them.

    tokens (B, L) int64 with token_valid (B, L) bool; state (B, max_state_dim).
    """

    images: tuple[Tensor, ...]
    image_valid: tuple[Tensor, ...]
    tokens: Tensor
    token_valid: Tensor
    state: Tensor


def model_inputs(batch: Mapping[str, Tensor], config: SmolVLAConfig) -> ModelInputs:
    """Letterboxes, scales and pads. A camera that the batch lacks is left out, which equals masking it.

    Raises ValueError where there is no camera at all or the state is wider than the model's.
    """
    images, valid = [], []
    for name in config.camera_features:
        if name not in batch:
            continue
        image = batch[name][:, -1] if batch[name].ndim == 5 else batch[name]
        if config.resize_imgs_with_padding is not None:
            image = letterbox(image, config.resize_imgs_with_padding[0])
        images.append(image * 2.0 - 1.0)
        mask = batch.get(f"{name}_padding_mask")
        valid.append(torch.ones(len(image), dtype=torch.bool, device=image.device) if mask is None else mask.bool())
    if not images:
        raise ValueError(f"images: expected at least one of {', '.join(config.camera_features)}, found none")
    return replace(inputs_without_images(batch, config), images=tuple(images), image_valid=tuple(valid))


def inputs_without_images(batch: Mapping[str, Tensor], config: SmolVLAConfig) -> ModelInputs:
    """State and instruction. Raises ValueError where the state is wider than the model's."""
    state = batch[STATE][:, -1] if batch[STATE].ndim == 3 else batch[STATE]
    return ModelInputs((), (), batch[TOKENS], batch[TOKEN_MASK].bool(), _padded(state, config.max_state_dim, STATE))


def joined(inputs: Sequence[ModelInputs]) -> ModelInputs:
    """One batch of several with the same cameras; shorter instructions are padded."""
    length = max(each.tokens.shape[1] for each in inputs)

    def padded(rows: Tensor) -> Tensor:
        return functional.pad(rows, (0, length - rows.shape[1]))

    return ModelInputs(
        tuple(torch.cat(images) for images in zip(*(each.images for each in inputs), strict=True)),
        tuple(torch.cat(valid) for valid in zip(*(each.image_valid for each in inputs), strict=True)),
        torch.cat([padded(each.tokens) for each in inputs]),
        torch.cat([padded(each.token_valid) for each in inputs]),
        torch.cat([each.state for each in inputs]),
    )


def model_actions(batch: Mapping[str, Tensor], config: SmolVLAConfig) -> Tensor:
    """The batch's actions, zero-padded to (B, chunk, max_action_dim)."""
    return _padded(batch[ACTION], config.max_action_dim, ACTION)


def _padded(vector: Tensor, width: int, name: str) -> Tensor:
    if vector.shape[-1] > width:
        raise ValueError(f"{name}: expected at most {width} values, found {vector.shape[-1]}")
    return functional.pad(vector, (0, width - vector.shape[-1]))
