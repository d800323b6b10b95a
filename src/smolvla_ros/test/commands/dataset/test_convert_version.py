from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE, save_embodiment
from smolvla_ros.embodiment import load_embodiment

TOP = "observation.images.top"


def test_to_v21_and_back_nothing_changes(dataset_root: Path, tmp_path: Path) -> None:
    save_embodiment(dataset_root, load_embodiment())
    words = ["dataset", "convert-version"]
    assert main([*words, str(dataset_root), "--to", "v2.1", "--output", str(tmp_path / "old")]) == 0
    assert main([*words, str(tmp_path / "old"), "--output", str(tmp_path / "new")]) == 0
    source, old, new = (open_dataset(root) for root in (dataset_root, tmp_path / "old", tmp_path / "new"))
    assert [dataset.info.version for dataset in (source, old, new)] == ["v3.0", "v2.1", "v3.0"]
    for dataset in (old, new):
        np.testing.assert_array_equal(dataset.column("action"), source.column("action"))
        np.testing.assert_array_equal(dataset.images(TOP, [0, 50, 76]), source.images(TOP, [0, 50, 76]))
        assert (dataset.root / EMBODIMENT_FILE).is_file()


def test_changes_keep_the_version(dataset_root: Path, tmp_path: Path) -> None:
    assert main(["dataset", "convert-version", str(dataset_root), "--to", "v2.1"]) == 0
    assert main(["dataset", "delete", str(dataset_root), "--episodes", "0", "--output", str(tmp_path / "few")]) == 0
    few = open_dataset(tmp_path / "few")
    assert few.info.version == "v2.1"
    assert len(few) == 37
    assert (tmp_path / "few" / "meta" / "episodes.jsonl").is_file()


def test_the_version_that_it_has_is_refused(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "convert-version", str(dataset_root)]) == 2
    assert "expected another version than v3.0" in capsys.readouterr().err
