"""The one error of this folder."""

from __future__ import annotations

from typing import Any


class TrainingError(ValueError):
    """Training cannot begin or go on. The message names what was expected, what was found and what to do."""


def mismatch(where: object, expected: str, found: Any, remedy: str) -> TrainingError:
    """`where` is a setting, a feature or a file; `remedy` is an imperative without a full stop."""
    return TrainingError(f"{where}: expected {expected}, found {found}; {remedy}")
