"""What passes between an engine's layers, and the norms that prepare it: residual sum, norm and cast in one pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from smolvla_ros.engines.cpu_kernels import Norm, pass_rows
from smolvla_ros.model.language import RMSNorm

Activation = Literal["none", "gelu_tanh", "swiglu"]
"""Of a linear layer's results; swiglu: silu(first half) * second half."""


class Rows(NamedTuple):
    """values (..., width); mean (width,) float32 over all rows, None where nobody asked for it."""

    values: Tensor
    mean: Tensor | None = None


class EngineLinear(nn.Module, ABC):
    """A linear layer of an engine. takes: the type in which it likes its input; centred: whether with the mean."""

    takes: torch.dtype
    centred: bool

    @abstractmethod
    def forward(self, rows: Rows) -> Rows: ...


class LinearMaker(Protocol):
    """Makes the layer that stands for several linear layers of one input side by side. rows: of the inputs, about."""

    def __call__(self, linears: Sequence[nn.Linear], rows: int, activation: Activation = "none") -> EngineLinear: ...


class RowNorm(nn.Module):
    """LayerNorm or RMSNorm in float32, its result as the layer `then` takes it."""

    def __init__(self, norm: nn.LayerNorm | RMSNorm, then: EngineLinear) -> None:
        super().__init__()
        weight = norm.weight.detach().float()
        if isinstance(norm, RMSNorm):
            self._norm = Norm(weight, norm.eps)
        else:
            self._norm = Norm(weight, norm.eps, norm.bias.detach().float(), "layer")
        self._takes, self._centred = then.takes, then.centred

    def forward(self, hidden: Tensor) -> Rows:
        passed = pass_rows(hidden, norm=self._norm, mean=self._centred, to=self._takes)
        return Rows(passed.out, passed.mean)

    def of_sum(self, hidden: Tensor, more: Tensor) -> tuple[Tensor, Rows]:
        """The sum of both, and its norm."""
        passed = pass_rows(more, residual=hidden, keep_sum=True, norm=self._norm, mean=self._centred, to=self._takes)
        assert passed.sum is not None
        return passed.sum, Rows(passed.out, passed.mean)
