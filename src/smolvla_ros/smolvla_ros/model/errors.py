"""The one error of this folder."""

from __future__ import annotations

from typing import Any


class CheckpointError(ValueError):
    """A checkpoint cannot be used. The message names file and field, what was expected and found, and what to do."""


def mismatch(where: str, expected: str, found: Any, remedy: str) -> CheckpointError:
    """`where` is a file and field; `remedy` is an imperative without a full stop."""
    return CheckpointError(f"{where}: expected {expected}, found {found}; {remedy}")
