"""The errors of bags, with messages for the operator."""

from __future__ import annotations

from typing import Any


class BagError(ValueError):
    """A bag cannot be used. The message names what was expected, what was found and what to do."""


class BagCut(BagError):
    """A bag whose recording did not end in order: it has no index yet."""


class ImageError(ValueError):
    """An image that cannot be read. The message says what was expected and what was found."""


def mismatch(where: object, expected: str, found: Any, remedy: str) -> BagError:
    """`where` is a bag or topic; `remedy` is an imperative without a full stop."""
    return BagError(f"{where}: expected {expected}, found {found}; {remedy}")
