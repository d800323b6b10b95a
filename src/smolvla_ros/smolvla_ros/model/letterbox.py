"""Camera frames to the square that the vision encoder takes: scaled without distortion, black above or on the left."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def letterbox(images: Tensor, side: int) -> Tensor:
    """(batch, 3, height, width) float to (batch, 3, side, side): bilinear, no antialiasing, picture bottom right."""
    height, width = images.shape[2:]
    if (height, width) == (side, side):
        return images
    ratio = max(width, height) / side
    size = (int(height / ratio), int(width / ratio))
    scaled = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    return functional.pad(scaled, (side - size[1], 0, side - size[0], 0))


def frame_to_tensor(frame: np.ndarray) -> Tensor:
    """A camera's (height, width, 3) uint8 RGB to (1, 3, height, width) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float().div_(255.0)
