"""Commands that end without having done what was asked."""

from __future__ import annotations


class CommandError(RuntimeError):
    """What was expected, what was found and what to do, in words for the operator."""
