from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE, embodiment_of, save_embodiment
from smolvla_ros.embodiment import load_embodiment

PREFIX = "observation.images."


def rename(*words: object) -> int:
    return main(["dataset", "rename-cameras", *map(str, words)])


def cameras(root: Path) -> tuple[str, ...]:
    return tuple(camera.removeprefix(PREFIX) for camera in open_dataset(root).info.cameras)


def write_map(tmp_path: Path, text: str) -> Path:
    (tmp_path / "map.yaml").write_text(text)
    return tmp_path / "map.yaml"


def test_a_proposal_changes_nothing_and_is_a_map_that_can_be_given(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rename(dataset_root, "--map", write_map(tmp_path, "top: laptop\nwrist: phone")) == 0
    capsys.readouterr()
    assert rename(dataset_root) == 0
    said = capsys.readouterr().out
    assert "# nothing changed: --yes takes this map" in said
    assert "wrist  # " in said
    assert cameras(dataset_root) == ("laptop", "phone")
    assert rename(dataset_root, "--map", write_map(tmp_path, said)) == 0
    assert set(cameras(dataset_root)) == {"top", "wrist"}


def test_pictures_statistics_and_embodiment_go_with_the_names_and_come_back(
    dataset_root: Path, made_once: Path, tmp_path: Path
) -> None:
    save_embodiment(dataset_root, load_embodiment())
    text = (dataset_root / EMBODIMENT_FILE).read_text()
    assert rename(dataset_root, "--map", write_map(tmp_path, "top: wrist\nwrist: side")) == 0
    renamed, before = open_dataset(dataset_root), open_dataset(made_once)
    assert cameras(dataset_root) == ("wrist", "side")
    np.testing.assert_array_equal(renamed.images(PREFIX + "wrist", [0, 50]), before.images(PREFIX + "top", [0, 50]))
    np.testing.assert_array_equal(
        renamed.statistics[PREFIX + "side"]["mean"], before.statistics[PREFIX + "wrist"]["mean"]
    )
    embodiment = embodiment_of(dataset_root)
    assert embodiment is not None
    assert [camera.feature for camera in embodiment.cameras] == [PREFIX + "wrist", PREFIX + "side"]
    assert rename(dataset_root, "--map", write_map(tmp_path, "wrist: top")) == 0
    assert rename(dataset_root, "--undo") == 0
    assert cameras(dataset_root) == ("top", "wrist")
    assert (dataset_root / EMBODIMENT_FILE).read_text() == text
    assert not (dataset_root / "meta" / "camera_names.json").exists()
    assert main(["dataset", "check", str(dataset_root)]) == 0


def test_names_that_are_standard_stay(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rename(dataset_root, "--yes") == 0
    assert "the cameras have these names" in capsys.readouterr().out


def test_a_map_that_cannot_be_read_is_told(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rename(dataset_root, "--map", write_map(tmp_path, "top: [")) == 2
    assert "map.yaml: expected a YAML map of cameras" in capsys.readouterr().err
