"""Files and folders that are there whole or not at all, whatever happens while they are written.

What is being written has a name that ends in `.writing`, which no reader looks at.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smolvla_ros.data.errors import mismatch

WRITING = ".writing"
KEPT = "_old"
"""What a folder's former contents are called beside it, as LeRobot calls them."""
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)


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
    with _begun(path) as part:
        yield part
        _files_to_disk(part)
        part.rename(path)
    _to_disk(path.parent)


@contextmanager
def replaced_folder(path: Path, keep: bool) -> Iterator[Path]:
    """Gives an empty folder to write to. It takes the place of `path` in one step once the block has ended well.

    keep: what was there stays beside it under a name that ends in `_old`; raises DatasetError where that is taken.
    """
    kept = path.with_name(path.name + KEPT)
    if keep and kept.exists():
        remedy = "delete it or move it away, or write to another folder with --output"
        raise mismatch(kept, "room for what the dataset was before", "a folder", remedy)
    with _begun(path) as part:
        yield part
        _files_to_disk(part)
        _exchange(part, path)
        if keep:
            part.rename(kept)
    _to_disk(path.parent)


@contextmanager
def _begun(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`; what has its name at the end is deleted."""
    part = path.with_name(path.name + WRITING)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Each takes the other's name at once; where the file system cannot, with a moment in which `other` is missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(libc, "renameat2") and libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0:
        return
    between = other.with_name(other.name + ".before")
    other.rename(between)
    one.rename(other)
    between.rename(one)


def _files_to_disk(folder: Path) -> None:
    for file in folder.rglob("*"):
        _to_disk(file)


def _to_disk(path: Path) -> None:
    """Without it a rename may survive a power cut that the contents do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
