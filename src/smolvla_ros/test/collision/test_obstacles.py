from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.checked_section import EmbodimentError
from smolvla_ros.collision.obstacles import Box, Obstacles, load_obstacles

STAND = "{name: camera stand, middle_m: [0.1, 0.3, 0.2], size_m: [0.04, 0.04, 0.4]}"


def test_without_a_file_there_is_the_table() -> None:
    assert load_obstacles("") == Obstacles(table=True, boxes=())


def test_boxes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text(f"table: false\nboxes:\n- {STAND}\n- {STAND.replace('camera stand', 'shelf')[:-1]}, yaw_rad: 0.5}}")
    stand = Box("camera stand", (0.1, 0.3, 0.2), (0.04, 0.04, 0.4))
    shelf = Box("shelf", (0.1, 0.3, 0.2), (0.04, 0.04, 0.4), 0.5)
    assert load_obstacles(str(file)) == Obstacles(False, (stand, shelf))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("table: 1", "table: expected true or false, found 1"),
        ("tables: true", "table: missing"),
        ("table: true\nwalls: []", "walls: expected no such field"),
        (f"table: true\nboxes: [{STAND}, {STAND}]", "boxes.name: expected different values, found 'camera stand'"),
        ("table: true\nboxes: [{name: a, middle_m: [0, 0], size_m: [1, 1, 1]}]", "middle_m: expected a list of 3"),
        ("table: true\nboxes: [{name: a, middle_m: [0, 0, 0], size_m: [1, 0, 1]}]", "size_m: expected three edges"),
        ("- table", "the file: expected a mapping"),
        ("table: [", "expected YAML"),
    ],
)
def test_a_wrong_file_is_told_by_field_with_expected_and_found(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text(text)
    with pytest.raises(EmbodimentError) as caught:
        load_obstacles(str(file))
    assert told in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbodimentError, match=r"obstacles: expected a YAML file, found .*none\.yaml: No such file"):
        load_obstacles(str(tmp_path / "none.yaml"))
