"""The sequence that the language model reads, and who sees whom in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CONTEXT, STATE = 0, 1
"""Blocks: images and instruction see each other; the state sees them and itself; actions come after both."""


@dataclass(frozen=True)
class Prefix:
    """embeddings (batch, rows, width); valid (batch, rows) bool; block (rows,) int."""

    embeddings: Tensor
    valid: Tensor
    block: Tensor


def join(context: Sequence[tuple[Tensor, Tensor]], state: tuple[Tensor, Tensor] | None) -> Prefix:
    """(embeddings, valid) parts in order, the state last if it is read. Rows that are all padding are cut out.

    Padding is never seen and takes no position, so cutting it changes nothing but the work.
    """
    parts = [*context, state] if state else list(context)
    valid = torch.cat([part[1] for part in parts], dim=1)
    embeddings = torch.cat([part[0] for part in parts], dim=1)
    block = torch.full((valid.shape[1],), CONTEXT, device=valid.device)
    if state:
        block[-state[1].shape[1] :] = STATE
    keep = valid.any(dim=0)
    if keep.all():
        return Prefix(embeddings, valid, block)
    return Prefix(embeddings[:, keep], valid[:, keep], block[keep])


def block_mask(valid: Tensor, block: Tensor) -> Tensor:
    """(batch, rows, rows) bool, query by key: valid keys of the query's own block and of earlier ones."""
    return valid[:, None, :] & (block[:, None] >= block)[None]
