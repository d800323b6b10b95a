"""An exponential moving average of the trained weights, which is what a checkpoint then holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """After step n the decay is at most (1 + n) / (10 + n), so that the first steps do not linger."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self._decay = parameters, decay
        self.values = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """step: those done."""
        decay = min(self._decay, (1 + step) / (10 + step))
        live = [parameter.detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), live, 1 - decay)

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.values[name].copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights inside."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            live = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(live)
