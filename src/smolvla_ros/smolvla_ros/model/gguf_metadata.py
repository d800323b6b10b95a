"""The metadata at the start of a GGUF file: keys with numbers, texts and lists. Its tensors are not read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from smolvla_ros.model.errors import mismatch

MAGIC = b"GGUF"
VERSIONS = (2, 3)
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9
LONGEST = 1 << 24


def read_gguf_metadata(path: Path) -> dict[str, Any]:
    """Raises CheckpointError where the file is none or was cut short."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC or _number(file, "I") not in VERSIONS:
                raise ValueError("another kind of file")
            _number(file, "Q")  # count of tensors
            return {_text(file): _value(file, _number(file, "I")) for _ in range(_count(file))}
    except (OSError, ValueError, struct.error) as error:
        raise mismatch(str(path), "a GGUF file", error, "install the package that it came with again") from None


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind == LIST:
        inner, count = _number(file, "I"), _count(file)
        if inner in NUMBERS:
            layout = f"<{count}{NUMBERS[inner]}"
            return list(struct.unpack(layout, file.read(struct.calcsize(layout))))
        return [_value(file, inner) for _ in range(count)]
    if kind not in NUMBERS:
        raise ValueError(f"a value of kind {kind}")
    return _number(file, NUMBERS[kind])


def _text(file: BinaryIO) -> str:
    return file.read(_count(file)).decode("utf-8")


def _count(file: BinaryIO) -> int:
    count = _number(file, "Q")
    if count > LONGEST:
        raise ValueError(f"a length of {count}")
    return count


def _number(file: BinaryIO, letter: str) -> Any:
    layout = f"<{letter}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]
