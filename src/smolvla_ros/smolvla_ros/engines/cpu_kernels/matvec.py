"""One vector through bfloat16 weights; kernels/matvec.cpp says how."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor
from torch.nn import functional

from smolvla_ros.engines.cpu_kernels import library
from smolvla_ros.engines.cpu_kernels.library import refusal


class _MatrixVector(ctypes.Structure):
    """MatrixVector of kernels/matvec.cpp."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "x", "bias", "out")),
        *((name, ctypes.c_int64) for name in ("rows", "width")),
        ("threads", ctypes.c_int32),
    ]


def matrix_vector(weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Weight (rows, width) bfloat16 times x (width,) plus bias (rows,), both float32, to float32 (rows,).

    torch rounds such a product to bfloat16, which costs every row that it is added to the same.
    """
    rows, width = weight.shape
    if weight.dtype != torch.bfloat16 or not weight.is_contiguous():
        raise refusal("weight", "contiguous bfloat16", f"{weight.dtype}, strides {weight.stride()}")
    for name, vector, length in (("x", x, width), ("bias", bias, rows)):
        if vector is not None and (vector.shape != (length,) or vector.dtype != torch.float32):
            raise refusal(name, f"({length},) float32", f"{tuple(vector.shape)} {vector.dtype}")
    if not library.available(torch.bfloat16):
        return functional.linear(x, weight.float(), bias)
    x = x.contiguous()
    bias = None if bias is None else bias.contiguous()
    out = torch.empty(rows)
    call = _MatrixVector(
        weight.data_ptr(),
        x.data_ptr(),
        None if bias is None else bias.data_ptr(),
        out.data_ptr(),
        rows,
        width,
        library.threads_for(weight.numel()),
    )
    library.run("smolvla_matrix_vector", call)
    return out
