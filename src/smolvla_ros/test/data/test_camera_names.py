from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.camera_names import moving_share, names_of, propose
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import made_arrays, write_here
from smolvla_ros.data.errors import DatasetError

PREFIX = "observation.images."


@pytest.mark.parametrize(
    ("shares", "names"),
    [
        ({"top": 0, "wrist": 0}, ["top", "wrist"]),
        ({"cam_high.overhead": 0, "wrist.right": 0, "front": 0}, ["top", "wrist", "side"]),
        ({"laptop": 0.05, "phone": 0.6}, ["top", "wrist"]),
        ({"laptop": 0.05, "phone": 0.2}, ["side", "top"]),
        ({"left": 0, "right": 0, "webcam": 0.1}, ["side", "side_2", "top"]),
        ({"gripper": 0, "wrist": 0}, ["wrist_2", "wrist"]),
    ],
)
def test_names_and_pictures_tell_views(shares: dict[str, float], names: list[str]) -> None:
    found = propose([PREFIX + name for name in shares], {PREFIX + name: share for name, share in shares.items()})
    assert [each.name for each in found] == names
    assert all(each.reason for each in found)


def test_a_camera_that_moves_with_the_arm_sees_more_change(tmp_path: Path) -> None:
    arrays = made_arrays(0, (60,))
    still = np.repeat(arrays[PREFIX + "top"][:1], 60, axis=0)
    for frame in range(60):
        still[frame, 10:30, frame : frame + 8] = 255
    write_here(tmp_path / "d", arrays | {PREFIX + "top": still}, "h264")
    dataset = open_dataset(tmp_path / "d")
    assert moving_share(dataset, PREFIX + "top") < 0.2
    assert moving_share(dataset, PREFIX + "wrist") > 0.5


def test_a_confirmed_map_names_cameras_with_or_without_their_prefix() -> None:
    cameras = [PREFIX + "laptop", PREFIX + "phone"]
    assert names_of({"laptop": "phone", PREFIX + "phone": "top"}, cameras, "map") == {
        PREFIX + "laptop": PREFIX + "phone",
        PREFIX + "phone": PREFIX + "top",
    }
    assert names_of({"phone": "top"}, cameras, "map")[PREFIX + "laptop"] == PREFIX + "laptop"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (["laptop"], "a map of cameras"),
        ({"lap": "top"}, "cameras of"),
        ({"laptop": "a/b"}, "a name of letters"),
        ({"laptop": "phone"}, "another name for each camera"),
    ],
)
def test_a_map_that_cannot_be_is_refused(raw: object, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        names_of(raw, [PREFIX + "laptop", PREFIX + "phone"], "map")
