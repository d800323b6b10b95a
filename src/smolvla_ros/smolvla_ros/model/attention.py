"""Attention with grouped heads: several query heads read one key and value head, which is never repeated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def split_heads(x: Tensor, head_dim: int) -> Tensor:
    """(batch, length, heads * head_dim) to (batch, heads, length, head_dim)."""
    return x.unflatten(-1, (-1, head_dim)).transpose(1, 2)


def full_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Every row sees every row: (batch, heads, length, head_dim) each to (batch, length, heads * head_dim)."""
    attended = functional.scaled_dot_product_attention(queries, keys, values)
    return attended.transpose(1, 2).flatten(2)


def grouped_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
    """Softmax attention with float32 scores, returned as (batch, length, heads * head_dim) in the values' type.

    queries (batch, heads, length, head_dim); keys, values (batch, groups, rows, head_dim) with heads a multiple of
    groups; visible (batch or 1, length, rows) bool, None where everything is. A query that sees nothing gets the mean
    of all values, which nobody reads, rather than NaN, which would spread.
    """
    batch, heads, length, head_dim = queries.shape
    groups, rows = keys.shape[1:3]
    grouped = queries.float().reshape(batch, groups, heads // groups * length, head_dim)
    scores = (grouped @ keys.float().transpose(2, 3)).mul_(head_dim**-0.5)
    if visible is not None:
        scores = scores.view(batch, groups, heads // groups, length, rows)
        scores = scores.masked_fill(~visible[:, None, None], torch.finfo(scores.dtype).min)
        scores = scores.view(batch, groups, heads // groups * length, rows)
    attended = scores.softmax(dim=-1).to(values.dtype) @ values
    return attended.view(batch, heads, length, head_dim).transpose(1, 2).reshape(batch, length, heads * head_dim)
