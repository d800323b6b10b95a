"""The auxiliary loss that binds words to what is seen: where, in each picture, is the cube and the box that is named?

It is asked of the language model's image tokens, after they have seen the words: which token holds the object, and
where in it; and of the state token, in metres. A flow-matching loss alone leaves words unbound: once the arm moves, its
motion tells the target, so that little is left to be learned from words. This loss is the same at every frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.training.demonstration_samples import METRES, PLACES, VISIBLE

WHICH_WEIGHT, WHERE_WEIGHT, METRES_WEIGHT, SMOOTH_BELOW = 0.5, 0.5, 2.0, 0.1
OBJECTS = 2


class NamedObjects(nn.Module):
    """side: image tokens of a camera are side x side, row by row. weight: of this loss beside the policy's own."""

    def __init__(self, width: int, side: int, hidden: int = 128, weight: float = 0.3) -> None:
        super().__init__()
        self._side, self._weight = side, weight
        self.tokens = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 3 * OBJECTS)
        )
        self.metres = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 5))

    def forward(self, hidden: Tensor, valid: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """A loss (batch,); see objective.Auxiliary."""
        places, visible = batch[PLACES], batch[VISIBLE].float()
        which, where = self._seen(hidden, places.shape[1])
        cell = (places * self._side).clamp(0, self._side - 1e-3)
        token = (cell[..., 1].floor() * self._side + cell[..., 0].floor()).long()  # (batch, cameras, objects)
        missed = -which.log_softmax(dim=2).gather(2, token[:, :, None]).squeeze(2)
        at = where.gather(2, token[:, :, None, :, None].expand(-1, -1, -1, -1, 2)).squeeze(2)
        beside = (at - (cell - cell.floor() - 0.5)).abs().mean(dim=-1)
        count = visible.sum(dim=(1, 2)).clamp_min(1)
        seen = ((WHICH_WEIGHT * missed + WHERE_WEIGHT * beside) * visible).sum(dim=(1, 2)) / count
        last = hidden[:, -1].float()
        off = functional.smooth_l1_loss(self.metres(last), batch[METRES], beta=SMOOTH_BELOW, reduction="none")
        return self._weight * (seen + METRES_WEIGHT * off.mean(dim=1))

    @torch.no_grad()
    def places(self, hidden: Tensor, cameras: int) -> Tensor:
        """Where cube and box are said to be: (batch, cameras, 2, 2), columns and rows, shares of the square."""
        which, where = self._seen(hidden, cameras)
        token = which.argmax(dim=2)
        at = where.gather(2, token[:, :, None, :, None].expand(-1, -1, -1, -1, 2)).squeeze(2)
        corner = torch.stack([token % self._side, token // self._side], dim=-1)
        return (corner + 0.5 + at) / self._side

    def _seen(self, hidden: Tensor, cameras: int) -> tuple[Tensor, Tensor]:
        """Scores (batch, cameras, tokens, objects) and places in each token (batch, cameras, tokens, objects, 2)."""
        count = self._side**2
        answers = self.tokens(hidden[:, : cameras * count].float()).unflatten(1, (cameras, count))
        return answers[..., :OBJECTS], answers[..., OBJECTS:].unflatten(-1, (OBJECTS, 2))
