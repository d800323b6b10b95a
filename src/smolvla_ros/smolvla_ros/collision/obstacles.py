"""What stands around the arm: the table and boxes on it, from a YAML file.

table: true                     # the plane z = 0 of the frame world
boxes:
  - {name: camera stand, middle_m: [0.1, 0.3, 0.2], size_m: [0.04, 0.04, 0.4], yaw_rad: 0.0}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from smolvla_ros.checked_section import EmbodimentError, Section


@dataclass(frozen=True)
class Box:
    """`middle_m` (x, y, z) and edges `size_m`, turned by `yaw_rad` about z, in the frame world."""

    name: str
    middle_m: tuple[float, ...]
    size_m: tuple[float, ...]
    yaw_rad: float = 0.0


@dataclass(frozen=True)
class Obstacles:
    """Everything that does not move."""

    table: bool = True
    boxes: tuple[Box, ...] = ()


def load_obstacles(path: str) -> Obstacles:
    """'' is the table alone. Raises EmbodimentError with the field, what was expected and what was found."""
    if not path:
        return Obstacles()
    file = Path(path).expanduser()
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EmbodimentError(f"obstacles: expected a YAML file, found {file}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise EmbodimentError(f"{file}: expected YAML: {' '.join(str(error).split())}") from error
    section = Section(file, "", raw)
    table = section.take("table")
    if not isinstance(table, bool):
        raise section.error("table", "true or false", table)
    boxes = [_box(each) for each in section.optional("boxes", section.sections) or []]
    section.unique("boxes", "name", [box.name for box in boxes])
    section.finish()
    return Obstacles(table, tuple(boxes))


def _box(section: Section) -> Box:
    box = Box(
        section.text("name"),
        section.numbers("middle_m", 3),
        section.numbers("size_m", 3),
        section.optional("yaw_rad", section.number) or 0.0,
    )
    if min(box.size_m) <= 0:
        raise section.error("size_m", "three edges above 0 m", list(box.size_m))
    section.finish()
    return box
