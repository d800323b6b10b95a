"""safetensors files: what they hold, from their headers, and the values. Never pickle."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from smolvla_ros.model.errors import mismatch

TYPE_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000
BROKEN = "download or copy it again"


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor lies. `dtype` is torch's name of its type, the header's own where torch has none."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def read_headers(path: Path) -> dict[str, StoredTensor]:
    """What a file holds, by name, without its values. Raises CheckpointError, also where the file was cut short."""
    if not path.is_file():
        raise mismatch(str(path), "a file", "none", "copy the whole folder of the checkpoint")
    try:
        with path.open("rb") as file:
            length = file.read(LENGTH_BYTES)
            if len(length) < LENGTH_BYTES or struct.unpack("<Q", length)[0] > LONGEST_HEADER:
                raise ValueError("no header")
            size = struct.unpack("<Q", length)[0]
            header = json.loads(file.read(size))
        return _entries(path, header, path.stat().st_size - LENGTH_BYTES - size)
    except (OSError, ValueError, LookupError, OverflowError, TypeError, AttributeError) as error:
        raise mismatch(str(path), "a whole safetensors file", error, BROKEN) from None


def read_tensors(path: Path, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """The named tensors of a file, by default all, mapped from disk and not copied. Raises CheckpointError."""
    if not path.is_file():
        raise mismatch(str(path), "a file", "none", "copy the whole folder of the checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in (file.keys() if names is None else names)}
    except (SafetensorError, OSError, ValueError) as error:
        raise mismatch(str(path), "a whole safetensors file", error, BROKEN) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """With the permissions of any new file: safetensors 0.8 gives it those of a temporary one, for its owner alone."""
    path.touch()
    permissions = path.stat().st_mode
    save_file(dict(tensors), path, dict(metadata) if metadata else None)
    path.chmod(permissions)


def _entries(path: Path, header: Mapping[str, Any], data_bytes: int) -> dict[str, StoredTensor]:
    stored, end = {}, 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape = tuple(int(side) for side in entry["shape"])
        stored[name] = StoredTensor(path, name, TYPE_NAMES.get(entry["dtype"], entry["dtype"]), shape)
        end = max(end, int(entry["data_offsets"][1]))
    if end != data_bytes:
        raise ValueError(f"{data_bytes:,} bytes of values where its header speaks of {end:,}")
    return stored
