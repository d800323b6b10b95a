"""Modules built without storage and without random numbers, whose weights are about to be read from a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _SkipInitialisation(TorchFunctionMode):
    """Without it torch imports its Python kernels to fill tensors that have no storage: a second, once a process."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


@contextmanager
def uninitialised() -> Iterator[None]:
    """Parameters made inside have shape and type only."""
    with torch.device("meta"), _SkipInitialisation():
        yield
