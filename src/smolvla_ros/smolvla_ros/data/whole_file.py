"""Files and folders that are there whole or not at all, whatever happens while they are written.

What is being written has a name that ends in `.writing`, which no reader looks at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITING = ".writing"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives the path to write to. It becomes `path`, replacing what was there, once the block has ended well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + WRITING)
    try:
        yield part
        _to_disk(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _to_disk(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder to write to. It becomes `path`, which must not exist, once the block has ended well."""
    part = path.with_name(path.name + WRITING)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        for file in part.rglob("*"):
            _to_disk(file)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    """Without it a rename may survive a power cut that the contents do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
