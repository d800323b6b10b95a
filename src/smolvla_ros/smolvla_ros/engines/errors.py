"""The one error of this folder, and the name that leaves the choice to it; importable without torch."""

from __future__ import annotations

AUTO = "auto"


class EngineError(ValueError):
    """An engine that there is not, or that does not run here. The message names those that do."""
