from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset

TOP = "observation.images.top"


def test_episodes_are_left_out_and_the_others_keep_their_pictures(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "delete", str(dataset_root), "--episodes", "1", "--output", str(tmp_path / "few")]) == 0
    assert "few: 1 episodes deleted, 2 kept" in capsys.readouterr().out
    source, few = open_dataset(dataset_root), open_dataset(tmp_path / "few")
    np.testing.assert_array_equal(few.images(TOP, range(40, 65)), source.images(TOP, range(52, 77)))
    assert len(source) == 77


def test_in_place_what_it_was_is_kept_beside_it(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "delete", str(dataset_root), "--episodes", "0-1"]) == 0
    assert f"as it was before: {dataset_root}_old" in capsys.readouterr().out
    assert len(open_dataset(dataset_root)) == 25
    assert len(open_dataset(dataset_root.with_name("demos_old"))) == 77


def test_deleting_all_or_none_that_is_there_is_refused(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for episodes, told in (("0-2", "expected at least one episode, found none"), ("3", "numbers from 0 to 2")):
        assert main(["dataset", "delete", str(dataset_root), "--episodes", episodes]) == 2
        assert told in capsys.readouterr().err
    assert [path.name for path in dataset_root.parent.iterdir()] == ["demos"]
