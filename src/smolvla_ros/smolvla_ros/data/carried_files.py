"""Files of a dataset that are no rows, videos, statistics or lists, and that new datasets made of it keep."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE

CAMERA_NAMES_FILE = Path("meta", "camera_names.json")
CARRIED = (EMBODIMENT_FILE, CAMERA_NAMES_FILE, Path("README.md"), Path(".gitattributes"))


def carry_files(sources: Sequence[Path], root: Path) -> None:
    """Copies those that are the same in all sources."""
    for name in set(CARRIED) - set(unlike_files(sources)):
        if (sources[0] / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sources[0] / name, root / name)


def unlike_files(sources: Sequence[Path]) -> list[Path]:
    """Those that some of the sources lack or have otherwise."""
    return [name for name in CARRIED if len({_contents(source / name) for source in sources}) > 1]


def _contents(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
