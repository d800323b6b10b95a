"""An auxiliary loss that has the prefix plan: some rows of the chunk, regressed from the state token.

The expert learns to denoise long before it learns to read where to go from the prefix, and a small prefix keeps that
in a form that is hard to read. Asked for the rows itself, it holds them ready.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.model.config import ACTION
from smolvla_ros.training.objective import WEIGHT

ROWS, SMOOTH_BELOW = 5, 0.1


class PlannedRows(nn.Module):
    """ROWS rows of a chunk of `chunk`, first to last, each `joints` wide. weight: of this loss beside the policy's."""

    def __init__(self, width: int, chunk: int, joints: int, hidden: int = 192, weight: float = 1.0) -> None:
        super().__init__()
        self._weight, self._joints = weight, joints
        self._rows = torch.linspace(0, chunk - 1, ROWS).round().long().tolist()
        self.plan = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, ROWS * joints)
        )

    def forward(self, hidden: Tensor, _valid: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """A loss (batch,); see objective.Auxiliary. Samples that do not count for the policy do not count here."""
        planned = self.plan(hidden[:, -1].float()).unflatten(1, (ROWS, self._joints))
        wanted = batch[ACTION][:, self._rows].float()
        off = functional.smooth_l1_loss(planned, wanted, beta=SMOOTH_BELOW, reduction="none").mean(dim=(1, 2))
        counts = batch[WEIGHT] if WEIGHT in batch else torch.ones_like(off)
        return self._weight * counts * off


class Together(nn.Module):
    """The sum of several auxiliary losses."""

    def __init__(self, *losses: nn.Module) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)

    def forward(self, hidden: Tensor, valid: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([loss(hidden, valid, batch) for loss in self.losses]).sum(dim=0)
