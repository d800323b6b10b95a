"""Camera frames to the square that the vision encoder takes: scaled without distortion, black above or on the left."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

MUCH_SMALLER = 3.0


def letterbox(images: Tensor, side: int) -> Tensor:
    """(batch, 3, height, width) float to (batch, 3, side, side): bilinear, no antialiasing, picture bottom right."""
    height, width = images.shape[2:]
    if (height, width) == (side, side):
        return images
    ratio = max(width, height) / side
    size = (int(height / ratio), int(width / ratio))
    if ratio >= MUCH_SMALLER and not images.is_cuda:
        scaled = _shrunk(images, size)
    else:
        scaled = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    return functional.pad(scaled, (side - size[1], 0, side - size[0], 0))


def _shrunk(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, reading only the rows and columns that count: torch's own on a processor takes up to three times as
    long for a picture that is much smaller.
    """
    rows, next_rows, down = _between(images.shape[2], size[0], images)
    columns, next_columns, across = _between(images.shape[3], size[1], images)
    lines = images[:, :, rows].lerp_(images[:, :, next_rows], down[:, None])
    return lines[..., columns].lerp_(lines[..., next_columns], across)


def _between(length: int, wanted: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each place of `wanted`: the place of `length` before it, the one after, and how far it is on the way."""
    places = torch.arange(wanted, dtype=torch.float32, device=like.device)
    places = ((places + 0.5) * (length / wanted) - 0.5).clamp_min(0.0)
    before = places.floor()
    first = before.long()
    return first, (first + 1).clamp_max(length - 1), (places - before).to(like.dtype)


def frame_to_tensor(frame: np.ndarray) -> Tensor:
    """A camera's (height, width, 3) uint8 RGB to (1, 3, height, width) float32 in [0, 1]."""
    writable = np.require(frame, requirements=("C", "W"))  # a bag's pictures are not, of which torch warns
    return torch.from_numpy(writable).permute(2, 0, 1)[None].float().div_(255.0)
