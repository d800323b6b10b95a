"""Kernels for x86-64 with AVX-512 where torch's own are slow, called on torch tensors; for inference, not for training.

The package builds them from kernels/*.cpp where it finds a C++ compiler. Every function checks its arguments, raises
ValueError with what it expected and found, and computes with torch instead where `available` says no, so that callers
need not ask. Results are the same within rounding. torch.set_num_threads rules both: torch's thread pool is shared.

`python -m smolvla_ros.engines.cpu_kernels` prints each kernel's rate beside torch's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import torch  # before the library, so that it finds torch's OpenMP runtime loaded and uses that one
from torch import Tensor

FEATURES = {torch.float32: 0, torch.bfloat16: 1}
MAX_HEAD_DIM = 128


def _load() -> ctypes.CDLL | None:
    """The compiled kernels beside this file; None where there are none or they do not fit this machine."""
    for path in sorted(Path(__file__).parent.glob("_cpu_kernels*.so")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        library.smolvla_kernels_available.restype = ctypes.c_bool
        return library
    return None


_library = _load()
_supported = {dtype for dtype, feature in FEATURES.items() if _library and _library.smolvla_kernels_available(feature)}


def available(dtype: torch.dtype = torch.float32) -> bool:
    """Whether kernels on tensors of `dtype` were built and run on this processor."""
    return dtype in _supported


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


def _expect(holds: bool, what: str, expected: object, found: object) -> None:
    if not holds:
        raise ValueError(f"{what}: expected {expected}, found {found}")


def _expect_rows(name: str, x: Tensor, dtype: torch.dtype) -> None:
    """Heads as the kernels read them: 4 dimensions, `dtype`, on the CPU, a head's values next to each other."""
    _expect(x.ndim == 4, name, "(batch, heads, rows, head_dim)", tuple(x.shape))
    _expect(x.dtype == dtype, name, dtype, x.dtype)
    _expect(x.device.type == "cpu", name, "a tensor on the CPU", x.device)
    _expect(x.stride(3) == 1, name, "a last dimension of stride 1", x.stride())


def _strides(x: Tensor) -> _Strides:
    batch, head, row, _ = x.stride()
    return _Strides(batch, head, row)


def grouped_attention(
    queries: Tensor, seen: Sequence[tuple[Tensor, Tensor]], visible: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Softmax attention over one or two parts of keys and values in order, as (batch, rows, heads * head_dim).

    queries (batch, heads, rows, head_dim); each part's keys and values (batch, groups, its rows, head_dim) with heads
    a multiple of groups; head_dim a multiple of 16 up to 128; all float32 or all bfloat16, any strides but the last.
    visible (batch or 1, rows, keys of all parts) bool, None where everything is; a query that sees nothing gets the
    mean of all values. Scores and sums are float32. out, where given, is contiguous.
    """
    dtype = queries.dtype
    _expect(dtype in FEATURES, "queries", "float32 or bfloat16", dtype)
    _expect_rows("queries", queries, dtype)
    batch, heads, rows, head_dim = queries.shape
    _expect(head_dim % 16 == 0 and 0 < head_dim <= MAX_HEAD_DIM, "head_dim", "a multiple of 16 up to 128", head_dim)
    _expect(len(seen) in (1, 2), "seen", "1 or 2 parts", len(seen))
    groups = seen[0][0].shape[1]
    _expect(groups > 0 and heads % groups == 0, "heads", f"a multiple of {groups} groups", heads)
    total = 0
    for keys, values in seen:
        _expect_rows("keys", keys, dtype)
        _expect_rows("values", values, dtype)
        expected = (batch, groups, keys.shape[2], head_dim)
        _expect(keys.shape == expected, "keys", expected, tuple(keys.shape))
        _expect(values.shape == expected, "values", expected, tuple(values.shape))
        total += expected[2]
    _expect(min(batch, rows, total) > 0, "batch, rows, keys", "at least one each", (batch, rows, total))
    if visible is not None:
        _expect(visible.dtype == torch.bool, "visible", torch.bool, visible.dtype)
        fits = visible.shape in ((batch, rows, total), (1, rows, total))
        _expect(fits, "visible", ("batch or 1", rows, total), tuple(visible.shape))
        if visible.stride(2) != 1:
            visible = visible.contiguous()
    shape = (batch, rows, heads * head_dim)
    if out is None:
        out = torch.empty(shape, dtype=dtype)
    else:
        fits = out.shape == shape and out.dtype == dtype and out.is_contiguous()
        _expect(fits, "out", f"contiguous {shape} {dtype}", f"{tuple(out.shape)} {out.dtype}, strides {out.stride()}")
    if not available(dtype):
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
    assert _library is not None
    _library.smolvla_attention(ctypes.byref(call))
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


def _fastest_s(run: Callable[[], object], seconds: float = 1.0) -> float:
    """Seconds of the fastest of as many calls as fit into `seconds`: what remains of a busy host's noise."""
    fastest, until = float("inf"), perf_counter() + seconds
    while perf_counter() < until:
        started = perf_counter()
        run()
        fastest = min(fastest, perf_counter() - started)
    return fastest


def _bench() -> None:
    functional = torch.nn.functional
    generator = torch.Generator().manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; fastest call")
    print(f"{'':42}{'kernel':>10}{'torch':>10}{'ratio':>7}{'rate':>14}")

    def compare(
        name: str, kernel: Callable[[], object], by_torch: Callable[[], object], work: float, unit: str
    ) -> None:
        ours, theirs = _fastest_s(kernel), _fastest_s(by_torch)
        rate = f"{work / ours / 1e9:.0f} {unit}"
        print(f"{name:42}{1e3 * ours:7.3f} ms{1e3 * theirs:7.3f} ms{theirs / ours:6.1f}x{rate:>14}")

    for dtype in (torch.float32, torch.bfloat16):
        if not available(dtype):
            print(f"no kernels for {dtype} here")
            continue
        kind = str(dtype).removeprefix("torch.")
        fused = torch.randn(2, 1024, 3 * 768, generator=generator).to(dtype)
        q, k, v = (part.unflatten(-1, (12, 64)).transpose(1, 2) for part in fused.chunk(3, dim=-1))
        compare(
            f"attention 2x12x1024x64 {kind}",
            lambda q=q, k=k, v=v: attention(q, k, v),  # type: ignore[misc]
            lambda q=q, k=k, v=v: functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2),  # type: ignore[misc]
            4 * q.numel() * 1024,
            "GFLOP/s",
        )


if __name__ == "__main__":
    _bench()
