"""README's tables against the xacro files."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / "README.md").read_text()
XACRO = (PACKAGE / "urdf/so100.urdf.xacro").read_text()


def names(heading: str) -> list[str]:
    """What the first column of the table below a heading puts in backticks."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    first_cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    return re.findall(r"`([\w]+)`", "".join(first_cells))


def test_the_table_of_arguments_is_the_xacro_s() -> None:
    assert sorted(names("Arguments")) == sorted(re.findall(r'<xacro:arg name="(\w+)"', XACRO))


def test_the_hardware_types_are_the_xacro_s() -> None:
    (listed,) = re.findall(r'name="hardware_types" value="\$\{(\[.*?\])\}"', XACRO)
    row = next(line for line in README.splitlines() if line.startswith("| `hardware_type` |"))
    assert set(re.findall(r"'(\w+)'", listed)) <= set(re.findall(r"`(\w+)`", row))


def test_every_link_and_camera_frame_is_in_the_table_of_frames() -> None:
    listed = set(names("Frames"))
    for arm in ("so100", "so101"):
        text = (PACKAGE / f"urdf/{arm}.arm.xacro").read_text()
        assert set(re.findall(r'<link name="\$\{prefix\}(\w+)"', text)) <= listed
    frames = (PACKAGE / "urdf/so100.frames.xacro").read_text()
    literal = re.findall(r'<link name="\$\{prefix\}(\w+)"', frames)
    assert set(literal) <= listed
    for frame in re.findall(r"\b(?:top|wrist)_camera\w+", README):
        assert frame in listed
