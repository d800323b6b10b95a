from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.data.dataset_arrays import FEATURES
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE, embodiment_of
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.writer import create_dataset
from smolvla_ros.embodiment import load_embodiment


def test_the_embodiment_file_is_saved_with_the_dataset(tmp_path: Path) -> None:
    embodiment = load_embodiment()
    create_dataset(tmp_path, FEATURES, 30, "so100", embodiment=embodiment)
    assert (tmp_path / EMBODIMENT_FILE).read_text() == embodiment.path.read_text()
    saved = embodiment_of(tmp_path)
    assert saved is not None
    assert saved.joints == embodiment.joints


def test_a_dataset_without_one_has_none_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    create_dataset(tmp_path, FEATURES, 30, "so100")
    assert embodiment_of(tmp_path) is None
    (tmp_path / EMBODIMENT_FILE).write_text("robot_type: 3\n")
    with pytest.raises(DatasetError, match=r"embodiment\.yaml"):
        embodiment_of(tmp_path)
