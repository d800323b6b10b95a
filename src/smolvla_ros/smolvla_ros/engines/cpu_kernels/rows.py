"""What lies between two matrix products, in one pass over the rows; kernels/rows.cpp says how."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from smolvla_ros.engines.cpu_kernels import library
from smolvla_ros.engines.cpu_kernels.library import refusal

Activation = Literal["none", "gelu_tanh", "silu", "swiglu"]
ACTIVATIONS = {"none": 0, "gelu_tanh": 1, "silu": 2, "swiglu": 3}
TYPES = {torch.float32: 0, torch.bfloat16: 1, torch.int32: 2, torch.int8: 3}
LARGEST = 127  # of symmetric int8
SMALLEST = 1e-30  # magnitude that a row's scale is made for, so that a row of zeros divides by something


@dataclass(frozen=True)
class Norm:
    """LayerNorm's weight and bias, or RMSNorm's weight: (width,) float32."""

    weight: Tensor
    eps: float
    bias: Tensor | None = None
    kind: Literal["layer", "rms"] = "rms"


@dataclass(frozen=True)
class Products:
    """int32 sums (rows, columns) of int8 products, as torch._int_mm returns; scales (rows,) and (columns,) float32."""

    sums: Tensor
    row_scale: Tensor
    column_scale: Tensor


class Passed(NamedTuple):
    """out (..., width), scale (rows,) of an int8 out, sum with the residual, mean (width,) over the rows."""

    out: Tensor
    scale: Tensor | None
    sum: Tensor | None
    mean: Tensor | None


class _Matrix(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("stride", ctypes.c_int64), ("type", ctypes.c_int64)]


class _Rows(ctypes.Structure):
    """Rows of kernels/rows.cpp."""

    _fields_ = [
        ("count", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("source", _Matrix),
        *((name, ctypes.c_void_p) for name in ("row_scale", "column_scale", "bias")),
        ("residual", _Matrix),
        ("sum", _Matrix),
        *((name, ctypes.c_void_p) for name in ("weight", "shift", "offset")),
        ("out", _Matrix),
        ("out_scale", ctypes.c_void_p),
        ("column_sums", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("activation", "normalisation")),
        ("epsilon", ctypes.c_float),
        ("threads", ctypes.c_int32),
    ]


_NOTHING = _Matrix()


def pass_rows(
    source: Tensor | Products,
    *,
    bias: Tensor | None = None,
    activation: Activation = "none",
    residual: Tensor | None = None,
    keep_sum: bool = False,
    norm: Norm | None = None,
    offset: Tensor | None = None,
    mean: bool = False,
    to: torch.dtype = torch.float32,
) -> Passed:
    """norm(activation(source + bias) + residual) - offset, as float32, bfloat16 or int8 with the rows' scales.

    source (..., columns) float32 or bfloat16 with a last dimension of stride 1, or Products. bias (columns,); offset,
    norm (width,); residual (..., width), float32 or bfloat16; width is columns, half of them after swiglu, which is
    silu(first half) * second half. Vectors are float32.
    keep_sum: returns what norm was taken of, in the residual's type (float32 without one).
    mean: returns the rows' mean before offset is taken off.
    """
    x = source.sums if isinstance(source, Products) else source
    columns = x.shape[-1]
    shape = (*x.shape[:-1], columns // 2 if activation == "swiglu" else columns)
    width, rows = shape[-1], x.numel() // max(columns, 1)
    if activation not in ACTIVATIONS:
        raise refusal("activation", " | ".join(ACTIVATIONS), activation)
    if activation == "swiglu" and columns % 2:
        raise refusal("columns", "an even number for swiglu", columns)
    if to not in TYPES or to == torch.int32:
        raise refusal("to", "float32, bfloat16 or int8", to)
    if isinstance(source, Products):
        if x.ndim != 2 or x.dtype != torch.int32:
            raise refusal("sums", "2 dimensions of int32", f"{x.ndim} of {x.dtype}")
        _expect_vector("row_scale", source.row_scale, rows)
        _expect_vector("column_scale", source.column_scale, columns)
    elif x.dtype not in library.FEATURES:
        raise refusal("source", "float32, bfloat16 or Products", x.dtype)
    for name, vector, length in (("bias", bias, columns), ("offset", offset, width)):
        if vector is not None:
            _expect_vector(name, vector, length)
    if norm is not None:
        _expect_vector("norm.weight", norm.weight, width)
        if norm.bias is not None:
            _expect_vector("norm.bias", norm.bias, width)
    if residual is not None:
        if residual.dtype not in library.FEATURES:
            raise refusal("residual", "float32 or bfloat16", residual.dtype)
        if residual.shape != shape:
            raise refusal("residual", shape, tuple(residual.shape))
    sum_type = torch.float32 if residual is None else residual.dtype
    if not library.available(torch.bfloat16 if torch.bfloat16 in (sum_type, x.dtype, to) else torch.float32):
        return _pass_rows_by_torch(source, bias, activation, residual, keep_sum, norm, offset, mean, to)
    out = torch.empty(shape, dtype=to)
    scale = torch.empty(rows, dtype=torch.float32) if to == torch.int8 else None
    kept = torch.empty(shape, dtype=sum_type) if keep_sum else None
    threads = library.threads_for(x.numel())
    # Zeros, as fewer threads may come than were asked for
    sums = torch.zeros(threads, width) if mean else None
    call = _Rows(
        rows,
        columns,
        _matrix("source", x),
        source.row_scale.data_ptr() if isinstance(source, Products) else None,
        source.column_scale.data_ptr() if isinstance(source, Products) else None,
        _pointer(bias),
        _NOTHING if residual is None else _matrix("residual", residual),
        _NOTHING if kept is None else _matrix("sum", kept),
        None if norm is None else norm.weight.data_ptr(),
        None if norm is None else _pointer(norm.bias),
        _pointer(offset),
        _matrix("out", out),
        _pointer(scale),
        _pointer(sums),
        ACTIVATIONS[activation],
        0 if norm is None else 1 if norm.kind == "layer" else 2,
        0.0 if norm is None else norm.eps,
        threads,
    )
    if x.numel():
        library.run("smolvla_rows", call)
    return Passed(out, scale, kept, None if sums is None else sums.sum(0).div_(rows))


def _pointer(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _expect_vector(name: str, vector: Tensor, length: int) -> None:
    fits = vector.shape == (length,) and vector.dtype == torch.float32 and vector.is_contiguous()
    if not fits:
        raise refusal(name, f"contiguous ({length},) torch.float32", f"{tuple(vector.shape)} {vector.dtype}")


def _matrix(name: str, x: Tensor) -> _Matrix:
    """All dimensions but the last as one, which strides must allow."""
    if not x.is_cpu:
        raise refusal(name, "a tensor on the CPU", x.device)
    if x.is_contiguous():
        return _Matrix(x.data_ptr(), x.shape[-1], TYPES[x.dtype])
    if x.stride(-1) != 1:
        raise refusal(name, "a last dimension of stride 1", x.stride())
    try:
        flat = x.view(x.shape[:-1].numel(), x.shape[-1])
    except RuntimeError:
        raise refusal(name, "rows at one distance from each other", f"strides {x.stride()}") from None
    return _Matrix(x.data_ptr(), flat.stride(0), TYPES[x.dtype])


def _pass_rows_by_torch(
    source: Tensor | Products,
    bias: Tensor | None,
    activation: Activation,
    residual: Tensor | None,
    keep_sum: bool,
    norm: Norm | None,
    offset: Tensor | None,
    mean: bool,
    to: torch.dtype,
) -> Passed:
    if isinstance(source, Products):
        x = source.sums.float() * source.row_scale[:, None] * source.column_scale
    else:
        x = source.float()
    x = x if bias is None else x + bias
    if activation == "gelu_tanh":
        x = functional.gelu(x, approximate="tanh")
    elif activation == "silu":
        x = functional.silu(x)
    elif activation == "swiglu":
        gate, up = x.chunk(2, dim=-1)
        x = functional.silu(gate) * up
    x = x if residual is None else x + residual
    kept = x.to(torch.float32 if residual is None else residual.dtype, copy=True) if keep_sum else None
    if norm is not None and norm.kind == "layer":
        x = functional.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)
    elif norm is not None:
        x = functional.rms_norm(x, x.shape[-1:], norm.weight, norm.eps)
    middle = x.flatten(0, -2).mean(0) if mean else None
    x = x if offset is None else x - offset
    if to != torch.int8:
        return Passed(x.to(to, copy=True), None, kept, middle)
    scale = x.abs().amax(dim=-1, keepdim=True).clamp_min(SMALLEST) / LARGEST
    return Passed((x / scale).round().to(torch.int8), scale.flatten(), kept, middle)


def _quantised(passed: Passed) -> tuple[Tensor, Tensor]:
    assert passed.scale is not None
    return passed.out, passed.scale


def quantise_rows(x: Tensor, offset: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(..., width), less offset, as int8 with the rows' scales: a scale times an int8 is about the value."""
    return _quantised(pass_rows(x, offset=offset, to=torch.int8))


def layernorm_quantise_rows(
    x: Tensor, weight: Tensor, bias: Tensor | None, eps: float, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`quantise_rows` of LayerNorm's result."""
    return _quantised(pass_rows(x, norm=Norm(weight, eps, bias, "layer"), offset=offset, to=torch.int8))


def rmsnorm_quantise_rows(x: Tensor, weight: Tensor, eps: float, offset: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`quantise_rows` of RMSNorm's result."""
    return _quantised(pass_rows(x, norm=Norm(weight, eps), offset=offset, to=torch.int8))


def dequantise(
    sums: Tensor,
    row_scale: Tensor,
    column_scale: Tensor,
    bias: Tensor | None = None,
    activation: Activation = "none",
    residual: Tensor | None = None,
    to: torch.dtype = torch.float32,
) -> Tensor:
    """activation(sums * scales + bias) + residual."""
    products = Products(sums, row_scale, column_scale)
    return pass_rows(products, bias=bias, activation=activation, residual=residual, to=to).out


def dequantise_quantise(
    sums: Tensor,
    row_scale: Tensor,
    column_scale: Tensor,
    bias: Tensor | None = None,
    activation: Activation = "gelu_tanh",
    offset: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`quantise_rows` of activation(sums * scales + bias)."""
    products = Products(sums, row_scale, column_scale)
    return _quantised(pass_rows(products, bias=bias, activation=activation, offset=offset, to=torch.int8))


def dequantise_swiglu_quantise(
    sums: Tensor, row_scale: Tensor, column_scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`quantise_rows` of silu(gate) * up, the sums' columns being [gate | up]."""
    return dequantise_quantise(sums, row_scale, column_scale, None, "swiglu", offset)


def rmsnorm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm in x's type, float32 inside; weight float32."""
    return pass_rows(x, norm=Norm(weight, eps), to=x.dtype).out


def silu_mul(gate_up: Tensor) -> Tensor:
    """(..., 2 * inner) to silu(first half) * second half in the same type."""
    return pass_rows(gate_up, activation="swiglu", to=gate_up.dtype).out
