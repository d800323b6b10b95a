"""Random changes of pictures, LeRobot's ImageTransforms with its defaults: up to three of six for each picture.

Brightness, contrast, saturation, hue, sharpness as torchvision defines them; rotation by up to 5 degrees and a shift by
up to 5 %. All pictures of a batch at once: what is not chosen for one has the factor that changes nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CHOSEN = 3
RANGES = {  # lowest, highest, and the factor that changes nothing; in the order in which they are applied
    "brightness": (0.8, 1.2, 1.0),
    "contrast": (0.8, 1.2, 1.0),
    "saturation": (0.5, 1.5, 1.0),
    "hue": (-0.05, 0.05, 0.0),
    "sharpness": (0.5, 1.5, 1.0),
    "affine": (-5.0, 5.0, 0.0),
}
SHIFT = 0.05
GREY = (0.2989, 0.587, 0.114)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """(batch, 3, height, width) in [0, 1], on any device; the generator is the CPU's."""
    count = len(images)
    chosen = torch.rand(count, len(RANGES), generator=generator).argsort(dim=1).argsort(dim=1) < CHOSEN
    low, high, neutral = torch.tensor(list(RANGES.values())).T
    drawn = low + (high - low) * torch.rand(count, len(RANGES), generator=generator)
    shifts = (torch.rand(count, 2, generator=generator) * 2 - 1) * SHIFT * chosen[:, -1:]
    factors = torch.where(chosen, drawn, neutral).to(images.device)
    brightness, contrast, saturation, hue, sharpness, degrees = (f[:, None, None, None] for f in factors.T)
    images = (images * brightness).clamp(0, 1)
    images = _blend(images, _grey(images).mean(dim=(2, 3), keepdim=True), contrast)
    images = _blend(images, _grey(images), saturation)
    images = turn_hue(images, hue[:, 0])
    images = _blend(images, _smoothed(images), sharpness)
    return move(images, degrees.flatten(), shifts.to(images.device))


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """By a share (batch, 1, 1) of the colour circle; 0 leaves pictures as they are."""
    highest, _ = images.max(dim=1)
    span = highest - images.amin(dim=1)
    red, green, blue = ((highest - channel) / span.clamp_min(1e-8) for channel in images.unbind(dim=1))
    hue = torch.where(
        images[:, 0] == highest,
        blue - green,
        torch.where(images[:, 1] == highest, 2 + red - blue, 4 + green - red),
    )
    hue = hue / 6 + turns

    def channel(offset: int) -> Tensor:
        # of hue, saturation and value to red (5), green (3), blue (1)
        k = (offset + hue * 6) % 6
        return highest - span * torch.minimum(k, 4 - k).clamp(0, 1)

    turned = torch.stack([channel(5), channel(3), channel(1)], dim=1)
    return torch.where((turns == 0)[:, None], images, turned)


def move(images: Tensor, degrees: Tensor, shifts: Tensor) -> Tensor:
    """Rotated (batch,) about the middle, then shifted (batch, 2) by shares of width and height; black comes in."""
    still = (degrees == 0) & (shifts == 0).all(dim=1)
    if still.all():
        return images
    height, width = images.shape[2:]
    angle = degrees * (math.pi / 180)
    cos, sin, ratio = angle.cos(), angle.sin(), width / height
    across, down = -2 * shifts[:, 0], -2 * shifts[:, 1]
    rows = [
        [cos, sin / ratio, cos * across + sin / ratio * down],
        [-sin * ratio, cos, -sin * ratio * across + cos * down],
    ]
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1).to(images.dtype)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return torch.where(still[:, None, None, None], images, moved)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """Factor 0: the other; 1: the picture; above: away from the other."""
    return (factor * images + (1 - factor) * other).clamp(0, 1)


def _grey(images: Tensor) -> Tensor:
    return (images * images.new_tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)


def _smoothed(images: Tensor) -> Tensor:
    """3 x 3, five for the middle and one around; the border stays."""
    kernel = images.new_ones(3, 1, 3, 3)
    kernel[:, :, 1, 1] = 5
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(images, kernel / 13, groups=3)
    return smooth
