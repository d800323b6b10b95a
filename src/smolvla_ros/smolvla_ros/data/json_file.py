"""JSON files of a dataset: objects, and lists of objects as lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.whole_file import whole_file


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A file's object. Raises DatasetError."""
    return _object(path, _text(path, remedy), remedy)


def read_json_lines(path: Path, remedy: str) -> list[dict[str, Any]]:
    """An object a line. Raises DatasetError."""
    lines = _text(path, remedy).splitlines()
    return [_object(f"{path}: line {n}", line, remedy) for n, line in enumerate(lines, start=1) if line.strip()]


def write_json(path: Path, value: Any) -> None:
    with whole_file(path) as part:
        part.write_text(json.dumps(value, indent=4, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")


def write_json_lines(path: Path, values: Iterable[Any]) -> None:
    with whole_file(path) as part:
        lines = (json.dumps(value, ensure_ascii=False, default=_plain) + "\n" for value in values)
        part.write_text("".join(lines), encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise mismatch(path, "a text file", getattr(error, "strerror", None) or error, remedy) from None


def _object(where: object, text: str, remedy: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise mismatch(where, "JSON", error, remedy) from None
    if not isinstance(value, dict):
        raise mismatch(where, "a JSON object", type(value).__name__, remedy)
    return value
