"""Any checkpoint that can be loaded, written anew in the present public layout, complete in one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, load_checkpoint, save_checkpoint
from smolvla_ros.model.checkpoint_files import CONFIG_FILE, find_files
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.inspection import layout
from smolvla_ros.model.weights import find_weights


@dataclass(frozen=True)
class Conversion:
    """`found` says how the source was stored; `parameters` and `bytes` are of what was written."""

    target: Path
    found: list[str]
    parameters: int
    bytes: int


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    dtype: str | None = None,
    statistics: str | Path | Sequence[str] = (),
    force: bool = False,
) -> Conversion:
    """Writes `target` whole or not at all: into a folder beside it, which takes its place at the end.

    dtype, statistics: as of load_checkpoint. force: replace a checkpoint that is there. Raises CheckpointError.
    """
    target = Path(target).resolve()
    _check_target(target, force)
    files = find_files(source)
    checkpoint = load_checkpoint(source, dtype=dtype, statistics=statistics)
    assert checkpoint.weights is not None
    found = layout(files, checkpoint.weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        save_checkpoint(checkpoint, beside)
        saved_with = next((folder for folder in files.folders if (folder / EMBODIMENT_FILE).is_file()), None)
        if saved_with:
            shutil.copyfile(saved_with / EMBODIMENT_FILE, beside / EMBODIMENT_FILE)
        written = sum(path.stat().st_size for path in beside.rglob("*") if path.is_file())
        parameters = sum(stored.size for stored in find_weights(beside).tensors.values())
        _replace(target, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Conversion(target, found, parameters, written)


def _check_target(target: Path, force: bool) -> None:
    if not target.exists():
        return
    expected = "a new or an empty folder"
    if not target.is_dir():
        raise mismatch(str(target), expected, "a file", "name another")
    if not any(target.iterdir()):
        return
    if not force:
        raise mismatch(str(target), expected, "files", "name another, or give --force to replace the checkpoint there")
    if not (target / CONFIG_FILE).is_file():
        raise mismatch(str(target), "a checkpoint to replace", f"files and no {CONFIG_FILE}", "name another folder")


def _replace(target: Path, new: Path) -> None:
    """The old folder steps aside first and goes last, so that one of the two is always whole."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
