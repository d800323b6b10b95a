"""Checkpoints that come with the project, by name. Each folder tells in recipe.json how it was made."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "checkpoints"


def shipped_names() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir()) if FOLDER.is_dir() else []


def shipped_folder(name: str) -> Path | None:
    """Where the checkpoint called `name` lies; None where none is called so."""
    return FOLDER / name if name in shipped_names() else None
