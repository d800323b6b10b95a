from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset


def test_shares_make_a_dataset_each(dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dataset", "split", str(dataset_root), "train=0.67", "val=0.33", "--output", str(tmp_path / "split")]
    assert main(words) == 0
    source, train, val = (open_dataset(tmp_path / name) for name in ("demos", "split/train", "split/val"))
    assert [episode.length for episode in train.episodes] == [40, 12]
    np.testing.assert_array_equal(val.column("action"), source.column("action")[52:])
    assert val.tasks == (source.task(52),)
    assert "in no split" not in capsys.readouterr().out


def test_numbers_choose_and_what_is_left_is_said(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "split", str(dataset_root), "a=2", "b=0", "--output", str(tmp_path / "split")]) == 0
    assert len(open_dataset(tmp_path / "split" / "a")) == 25
    assert "1 episodes in no split" in capsys.readouterr().out


def test_all_splits_are_there_or_none(dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in dataset_root.glob("videos/observation.images.wrist/**/*.mp4"):
        file.write_bytes(file.read_bytes()[:3000])
    assert main(["dataset", "split", str(dataset_root), "a=0", "b=1", "--output", str(tmp_path / "split")]) == 2
    assert "observation.images.wrist" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["demos"]


def test_a_split_without_a_name_is_refused(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "split", str(dataset_root), "0.5", "--output", "nowhere"]) == 2
    assert "expected NAME=WHICH" in capsys.readouterr().err
