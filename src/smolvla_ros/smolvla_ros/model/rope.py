"""Rotary position embedding as SmolVLA uses it: wavelength base 10000 whatever the backbone's config says."""

from __future__ import annotations

import torch
from torch import Tensor

BASE = 10_000

Angles = tuple[Tensor, Tensor]
"""Cosines and sines, each (batch, 1, length, head_dim / 2), float32."""


def rotary_angles(positions: Tensor, head_dim: int) -> Angles:
    """Positions (batch, length) to their angles, the same for every head."""
    exponents = (2.0 / head_dim) * torch.arange(head_dim // 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None, :, None].float() / BASE**exponents
    return angles.cos(), angles.sin()


def rotate(x: Tensor, angles: Angles) -> Tensor:
    """Turns the two halves of x (batch, heads, length, head_dim) as pairs; float32 inside, x's own type outside."""
    cos, sin = angles
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
