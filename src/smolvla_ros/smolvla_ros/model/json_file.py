"""JSON files of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smolvla_ros.model.errors import CheckpointError


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A file's object. Raises CheckpointError, which ends with `remedy`, where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: expected a file, found: {error.strerror or error}; {remedy}") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: expected JSON, found: {error}; {remedy}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}; {remedy}")
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
