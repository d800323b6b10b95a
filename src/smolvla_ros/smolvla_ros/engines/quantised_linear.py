"""Linear layers in eight bits: weights by output channel, activations by row, symmetric, scales found as they come.

What rounding the weights costs is the same in every row of an input, so it does not average out: it is most of the
error where rows have much in common, as image patches have. So the rows' mean goes through the weights as they were:

    W x = W mean + W (x - mean)        the first in 16 bits, once an input; the second in 8

which holds for any weights and inputs and needs no calibration data. An outlier in one row costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from smolvla_ros.engines.cpu_kernels import Products, matrix_vector, pass_rows, quantise_rows
from smolvla_ros.engines.packed_linear import side_by_side
from smolvla_ros.engines.rows import Activation, EngineLinear, Rows


class QuantisedLinear(EngineLinear):
    """Several linear layers of one input side by side: (..., in) to (..., sum of their outs) in bfloat16."""

    takes, centred = torch.float32, True

    def __init__(self, linears: Sequence[nn.Linear], rows: int, activation: Activation = "none") -> None:
        super().__init__()
        self.activation = activation
        self.exact, bias = side_by_side(linears, torch.bfloat16)
        self.bias = None if bias is None else bias.float()
        quantised, self.scale = quantise_rows(self.exact)
        self.weight = quantised.t().contiguous()  # (in, out)

    def forward(self, rows: Rows) -> Rows:
        values = rows.values.flatten(0, -2)
        mean = values.mean(dim=0, dtype=torch.float32) if rows.mean is None else rows.mean
        of_mean = matrix_vector(self.exact, mean, self.bias)
        quantised, row_scale = quantise_rows(values, mean)
        products = Products(torch._int_mm(quantised, self.weight), row_scale, self.scale)
        # what has gone through an activation goes into another linear layer, which will want the mean
        onward = self.activation != "none"
        passed = pass_rows(products, bias=of_mean, activation=self.activation, mean=onward, to=torch.bfloat16)
        return Rows(passed.out.unflatten(0, rows.values.shape[:-1]), passed.mean)
