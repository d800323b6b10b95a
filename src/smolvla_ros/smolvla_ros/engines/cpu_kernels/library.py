"""The compiled kernels: found, loaded and asked what this processor lets them do."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch  # before the library, so that it finds torch's OpenMP runtime loaded and shares its threads

FEATURES = {torch.float32: 0, torch.bfloat16: 1}
KERNELS = ("smolvla_attention", "smolvla_matrix_vector", "smolvla_rotate", "smolvla_rows")
ELEMENTS_A_THREAD = 16384  # waking a thread costs as much as some 10 microseconds of work


def _load() -> ctypes.CDLL | None:
    """The library in the folder above; None where there is none or it does not fit this machine."""
    for path in sorted(Path(__file__).parents[1].glob("_cpu_kernels*.so")):
        try:
            found = ctypes.CDLL(str(path))
        except OSError:
            continue
        if all(hasattr(found, name) for name in KERNELS):  # none of them on another architecture
            found.smolvla_kernels_available.restype = ctypes.c_bool
            return found
    return None


_library = _load()
_supported = {dtype for dtype, feature in FEATURES.items() if _library and _library.smolvla_kernels_available(feature)}


def available(dtype: torch.dtype = torch.float32) -> bool:
    """Whether kernels on tensors of `dtype` were built and run on this processor."""
    return dtype in _supported


def run(kernel: str, call: ctypes.Structure) -> None:
    """Calls a kernel, which trusts `call`."""
    assert _library is not None
    getattr(_library, kernel)(ctypes.byref(call))


def threads_for(elements: int) -> int:
    """How many of torch's threads are worth waking for so many elements of a cheap operation."""
    return min(torch.get_num_threads(), 1 + elements // ELEMENTS_A_THREAD)


def refusal(what: str, expected: object, found: object) -> ValueError:
    """Made only once a check has failed: writing both sides takes longer than a small kernel."""
    return ValueError(f"{what}: expected {expected}, found {found}")
