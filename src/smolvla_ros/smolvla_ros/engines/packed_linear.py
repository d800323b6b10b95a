"""Linear layers with their weights laid out once for oneDNN's kernels, in the type that an engine computes in.

oneDNN's float32 kernels use the whole width of AVX-512 where torch's default library does not: about twice as fast on
AMD processors. Where torch has no oneDNN the same class computes through torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.engines.cpu_kernels import silu_mul
from smolvla_ros.engines.rows import Activation, EngineLinear, Rows

PACKED_ROWS = 128
"""Inputs with more rows gain next to nothing in float32 from weights laid out anew, which stay as the file has them."""


def has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class PackedLinear(EngineLinear):
    """Several linear layers of one input side by side: (..., in) to (..., sum of their outs) in `dtype`."""

    centred = False

    def __init__(
        self, linears: Sequence[nn.Linear], rows: int, activation: Activation = "none", *, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.takes, self.activation = dtype, activation
        weight, self.bias = side_by_side(linears, dtype)
        self._onednn = has_onednn()
        if self._onednn and not (dtype is torch.float32 and rows > PACKED_ROWS):
            weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self.weight = weight

    def forward(self, rows: Rows) -> Rows:
        x, gelu = rows.values.to(self.takes), self.activation == "gelu_tanh"
        if self._onednn:
            kind, algorithm = ("gelu", "tanh") if gelu else ("none", "")
            out = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, kind, [], algorithm)
        else:
            out = functional.linear(x, self.weight, self.bias)
            out = functional.gelu(out, approximate="tanh") if gelu else out
        return Rows(silu_mul(out) if self.activation == "swiglu" else out)


def side_by_side(linears: Sequence[nn.Linear], dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Weights (sum of outs, in) and biases (sum of outs,) of layers that all have one or all have none."""
    first = linears[0]
    weight = first.weight if len(linears) == 1 else torch.cat([linear.weight for linear in linears])
    if first.bias is None:
        return weight.detach().to(dtype), None
    return weight.detach().to(dtype), torch.cat([linear.bias for linear in linears]).detach().to(dtype)
