"""A linear layer that learns through oneDNN: torch's numbers and gradients, whatever the shapes and strides."""

from __future__ import annotations

import pytest
import torch
from smolvla_ros.engines.packed_linear import has_onednn
from smolvla_ros.engines.trained_linear import FEWEST_MULTIPLICATIONS, TrainedLinear
from smolvla_ros.model.linear import Linear
from torch import Tensor


@pytest.mark.parametrize("rows", [2, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_products_and_gradients_are_torchs(rows: int, bias: bool) -> None:
    assert has_onednn()
    generator = torch.Generator().manual_seed(0)
    linear = Linear(96, 128, bias=bias)
    assert (rows * 96 * 128 * 2 > FEWEST_MULTIPLICATIONS) == (rows == 300)
    x = torch.randn(96, rows, 2, generator=generator).transpose(0, 2)  # (2, rows, 96), not contiguous
    weights = torch.randn(128, generator=generator)

    def run(layer: torch.nn.Module) -> list[Tensor]:
        given = x.clone().requires_grad_()
        linear.zero_grad()
        (layer(given) * weights).sum(dim=1).square().sum().backward()
        gradients = [given.grad, *(parameter.grad for parameter in linear.parameters())]
        return [gradient.clone() for gradient in gradients if gradient is not None]

    expected, found = run(linear), run(TrainedLinear(linear))
    assert len(found) == 2 + bias
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-2)


def test_what_is_frozen_gets_no_gradient_but_passes_one_on() -> None:
    linear = Linear(96, 128, bias=False).requires_grad_(False)
    x = torch.randn(300, 96, requires_grad=True)
    TrainedLinear(linear)(x).sum().backward()
    assert linear.weight.grad is None
    torch.testing.assert_close(x.grad, linear.weight.sum(dim=0).expand(300, -1), rtol=1e-4, atol=1e-4)
