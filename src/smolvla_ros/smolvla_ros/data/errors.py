"""The one error of this folder."""

from __future__ import annotations

from typing import Any


class DatasetError(ValueError):
    """A dataset or recording cannot be used. The message names what was expected, what was found and what to do."""


def mismatch(where: object, expected: str, found: Any, remedy: str) -> DatasetError:
    """`where` is a file or feature; `remedy` is an imperative without a full stop."""
    return DatasetError(f"{where}: expected {expected}, found {found}; {remedy}")
