"""Softmax attention over grouped heads; kernels/attention.cpp says how."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from smolvla_ros.engines.cpu_kernels import library
from smolvla_ros.engines.cpu_kernels.library import refusal

MAX_HEAD_DIM = 128


class _Strides(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("batch", "head", "row")]


class _Segment(ctypes.Structure):
    _fields_ = [
        ("keys", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("key", _Strides),
        ("value", _Strides),
        ("rows", ctypes.c_int64),
    ]


class _Attention(ctypes.Structure):
    """Attention of kernels/attention.cpp."""

    _fields_ = [
        ("queries", ctypes.c_void_p),
        ("query", _Strides),
        ("segments", 2 * _Segment),
        ("visible", ctypes.c_void_p),
        ("visible_batch", ctypes.c_int64),
        ("visible_row", ctypes.c_int64),
        ("out", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("batch", "heads", "groups", "rows", "head_dim")),
        ("scale", ctypes.c_float),
        ("bfloat16", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


def _expect_heads(name: str, x: Tensor, dtype: torch.dtype) -> None:
    """Heads as the kernels read them: 4 dimensions, `dtype`, on the CPU, a head's values next to each other."""
    if x.ndim != 4:
        raise refusal(name, "(batch, heads, rows, head_dim)", tuple(x.shape))
    if x.dtype != dtype:
        raise refusal(name, dtype, x.dtype)
    if not x.is_cpu:
        raise refusal(name, "a tensor on the CPU", x.device)
    if x.stride(3) != 1:
        raise refusal(name, "a last dimension of stride 1", x.stride())


def _strides(x: Tensor) -> _Strides:
    batch, head, row, _ = x.stride()
    return _Strides(batch, head, row)


def grouped_attention(
    queries: Tensor, seen: Sequence[tuple[Tensor, Tensor]], visible: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Softmax attention over one or two parts of keys and values in order, as (batch, rows, heads * head_dim).

    queries (batch, heads, rows, head_dim); each part's keys and values (batch, groups, its rows, head_dim) with heads
    a multiple of groups; all float32 or all bfloat16, any strides but the last.
    visible (batch or 1, rows, keys of all parts) bool, None where everything is; a query that sees nothing gets the
    mean of all values. Scores and sums are float32. out, where given, is contiguous. A head_dim that is no multiple of
    16, or above 128, is left to torch.
    """
    dtype = queries.dtype
    if dtype not in library.FEATURES:
        raise refusal("queries", "float32 or bfloat16", dtype)
    _expect_heads("queries", queries, dtype)
    batch, heads, rows, head_dim = queries.shape
    if len(seen) not in (1, 2):
        raise refusal("seen", "1 or 2 parts", len(seen))
    groups = seen[0][0].shape[1]
    if groups < 1 or heads % groups:
        raise refusal("heads", f"a multiple of {groups} groups", heads)
    total = 0
    for keys, values in seen:
        _expect_heads("keys", keys, dtype)
        _expect_heads("values", values, dtype)
        expected = (batch, groups, keys.shape[2], head_dim)
        if keys.shape != expected:
            raise refusal("keys", expected, tuple(keys.shape))
        if values.shape != expected:
            raise refusal("values", expected, tuple(values.shape))
        total += expected[2]
    if min(batch, rows, total) < 1:
        raise refusal("batch, rows, keys", "at least one each", (batch, rows, total))
    if visible is not None:
        if visible.dtype != torch.bool:
            raise refusal("visible", torch.bool, visible.dtype)
        fits = visible.shape in ((batch, rows, total), (1, rows, total))
        if not fits:
            raise refusal("visible", ("batch or 1", rows, total), tuple(visible.shape))
        if visible.stride(2) != 1:
            visible = visible.contiguous()
    shape = (batch, rows, heads * head_dim)
    if out is None:
        out = torch.empty(shape, dtype=dtype)
    else:
        fits = out.shape == shape and out.dtype == dtype and out.is_contiguous()
        if not fits:
            raise refusal(
                "out", f"contiguous {shape} {dtype}", f"{tuple(out.shape)} {out.dtype}, strides {out.stride()}"
            )
    if not library.available(dtype) or head_dim % 16 or head_dim > MAX_HEAD_DIM:
        return out.copy_(_grouped_attention_by_torch(queries, seen, visible))
    segments = [
        _Segment(keys.data_ptr(), values.data_ptr(), _strides(keys), _strides(values), keys.shape[2])
        for keys, values in seen
    ]
    call = _Attention(
        queries.data_ptr(),
        _strides(queries),
        (2 * _Segment)(*segments),
        None if visible is None else visible.data_ptr(),
        0 if visible is None or len(visible) == 1 else visible.stride(0),
        0 if visible is None else visible.stride(1),
        out.data_ptr(),
        batch,
        heads,
        groups,
        rows,
        head_dim,
        head_dim**-0.5,
        dtype == torch.bfloat16,
        torch.get_num_threads(),
    )
    library.run("smolvla_attention", call)
    return out


def attention(queries: Tensor, keys: Tensor, values: Tensor, out: Tensor | None = None) -> Tensor:
    """Every row sees every row: `grouped_attention` over one part with no mask."""
    return grouped_attention(queries, [(keys, values)], out=out)


def _grouped_attention_by_torch(
    queries: Tensor, seen: Sequence[tuple[Tensor, Tensor]], visible: Tensor | None
) -> Tensor:
    keys, values = seen[0] if len(seen) == 1 else (torch.cat(parts, dim=2) for parts in zip(*seen, strict=True))
    repeats = queries.shape[1] // keys.shape[1]
    hidden = None
    if visible is not None:
        hidden = torch.zeros(visible.shape, dtype=queries.dtype)
        hidden = hidden.masked_fill_(~visible, torch.finfo(queries.dtype).min)[:, None]
    attended = torch.nn.functional.scaled_dot_product_attention(
        queries, keys.repeat_interleave(repeats, dim=1), values.repeat_interleave(repeats, dim=1), hidden
    )
    return attended.transpose(1, 2).flatten(2)
