"""Freed memory stays with the process: layers' results are tens of megabytes, and fresh pages take time."""

from __future__ import annotations

import ctypes

# parameters of glibc's mallopt(3)
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Makes malloc use one heap that is not handed back between layers; does nothing where the C library is another."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER)):
        mallopt(parameter, value)
