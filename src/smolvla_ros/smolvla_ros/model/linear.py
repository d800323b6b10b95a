"""A linear layer that works in its own weights' type: checkpoints mix float32 and bfloat16 layers."""

from __future__ import annotations

from torch import Tensor, nn


class Linear(nn.Linear):
    """(..., in_features) of any floating type to (..., out_features) in the weights' type."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype))
