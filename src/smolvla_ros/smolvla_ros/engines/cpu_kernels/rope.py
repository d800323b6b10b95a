"""Rotary position embedding in place; kernels/rope.cpp says how."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from smolvla_ros.engines.cpu_kernels import library
from smolvla_ros.engines.cpu_kernels.library import refusal


class _Rotation(ctypes.Structure):
    """Rotation of kernels/rope.cpp."""

    _fields_ = [
        ("x", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("x_batch", "x_head", "x_row")),
        ("cosines", ctypes.c_void_p),
        ("sines", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("angle_batch", "angle_row")),
        *((name, ctypes.c_int64) for name in ("batch", "heads", "rows", "head_dim")),
        ("bfloat16", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


def rope(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turns the two halves of x (batch, heads, rows, head_dim) as pairs, in place, and returns x.

    x float32 or bfloat16, any strides but the last; cosines and sines (batch or 1, 1, rows, head_dim / 2) float32.
    """
    if x.dtype not in library.FEATURES:
        raise refusal("x", "float32 or bfloat16", x.dtype)
    if x.ndim != 4 or x.shape[3] % 2:
        raise refusal("x", "(batch, heads, rows, even head_dim)", tuple(x.shape))
    if x.stride(3) != 1 or not x.is_cpu:
        raise refusal("x", "a last dimension of stride 1, on the CPU", x.stride())
    batch, heads, rows, head_dim = x.shape
    for name, angles in (("cosines", cosines), ("sines", sines)):
        if angles.dtype != torch.float32:
            raise refusal(name, torch.float32, angles.dtype)
        fits = angles.shape in ((batch, 1, rows, head_dim // 2), (1, 1, rows, head_dim // 2))
        if not fits:
            raise refusal(name, ("batch or 1", 1, rows, head_dim // 2), tuple(angles.shape))
    if not library.available(x.dtype):
        first, second = x.float().chunk(2, dim=-1)
        return x.copy_(torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1))
    cosines, sines = cosines.contiguous(), sines.contiguous()
    call = _Rotation(
        x.data_ptr(),
        *x.stride()[:3],
        cosines.data_ptr(),
        sines.data_ptr(),
        0 if len(cosines) == 1 else cosines.stride(0),
        head_dim // 2,
        batch,
        heads,
        rows,
        head_dim,
        x.dtype == torch.bfloat16,
        library.threads_for(x.numel()),
    )
    if x.numel():
        library.run("smolvla_rotate", call)
    return x
