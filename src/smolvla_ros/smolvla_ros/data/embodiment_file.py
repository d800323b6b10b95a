"""meta/embodiment.yaml: the embodiment file of the robot that a dataset was recorded on. LeRobot leaves it alone."""

from __future__ import annotations

from pathlib import Path

from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.whole_file import whole_file
from smolvla_ros.embodiment import Embodiment, EmbodimentError, load_embodiment

EMBODIMENT_FILE = Path("meta", "embodiment.yaml")


def save_embodiment(root: Path, embodiment: Embodiment) -> None:
    """As it was written, comments too."""
    write_embodiment_text(root, embodiment.path.read_text(encoding="utf-8"))


def write_embodiment_text(root: Path, text: str) -> None:
    with whole_file(root / EMBODIMENT_FILE) as part:
        part.write_text(text, encoding="utf-8")


def embodiment_text(root: Path) -> str | None:
    """None where the dataset has none."""
    path = root / EMBODIMENT_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else None


def embodiment_of(root: Path) -> Embodiment | None:
    """None where the dataset has none. Raises DatasetError where it cannot be read."""
    path = root / EMBODIMENT_FILE
    if not path.is_file():
        return None
    try:
        return load_embodiment(path)
    except EmbodimentError as error:
        raise DatasetError(str(error)) from None
