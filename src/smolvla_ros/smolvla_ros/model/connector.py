"""From the vision encoder to the language model: pixel shuffle (fewer, wider tokens), then one linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from smolvla_ros.model.linear import Linear


def pixel_shuffle(patches: Tensor, factor: int) -> Tensor:
    """(batch, side * side, width) to (batch, (side / factor)^2, width * factor^2).

    Blocks of factor x factor patches become one token each, blocks and patches inside a block both row by row.
    """
    batch, count, width = patches.shape
    blocks = int(count**0.5) // factor
    grid = patches.view(batch, blocks, factor, blocks, factor, width).transpose(2, 3)
    return grid.reshape(batch, blocks * blocks, factor * factor * width)


class Projection(nn.Module):
    """A level of the public parameter names."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.proj = Linear(width_in, width_out, bias=False)


class Connector(nn.Module):
    """Patch features (batch, patches, vision width) to image tokens (batch, tokens, text width)."""

    def __init__(self, vision_width: int, text_width: int, scale_factor: int) -> None:
        super().__init__()
        self.scale_factor = scale_factor
        self.modality_projection = Projection(vision_width * scale_factor**2, text_width)

    def forward(self, patches: Tensor) -> Tensor:
        return self.modality_projection.proj(pixel_shuffle(patches, self.scale_factor))
