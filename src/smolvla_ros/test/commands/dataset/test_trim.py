from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import write_here
from smolvla_ros.data.video_frames import VideoFrames

from .conftest import arm_arrays

TOP = "observation.images.top"


@pytest.fixture
def still_root(tmp_path: Path) -> Path:
    """The arm rests for a second, moves for a second and rests for another."""
    arrays = arm_arrays(3, (90,))
    for name in ("action", "observation.state"):
        moving = arrays[name][:30]
        arrays[name] = np.concatenate([np.repeat(moving[:1], 30, 0), moving, np.repeat(moving[-1:], 30, 0)])
    write_here(tmp_path / "still", arrays, "av1")
    return tmp_path / "still"


def test_still_starts_and_ends_are_cut_and_no_picture_is_encoded_again(
    still_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "trim", str(still_root), "--margin", "0.1", "--output", str(tmp_path / "cut")]) == 0
    assert "episode 0: 0.87 s off the start, 0.87 s off the end" in capsys.readouterr().out
    source, cut = open_dataset(still_root), open_dataset(tmp_path / "cut")
    assert len(cut) == 38
    np.testing.assert_array_equal(cut.column("action"), source.column("action")[26:64])
    np.testing.assert_array_equal(cut.images(TOP, range(38)), source.images(TOP, range(26, 64)))
    assert main(["dataset", "check", str(tmp_path / "cut")]) == 0


def test_given_times_are_cut_to_the_frame(dataset_root: Path, tmp_path: Path) -> None:
    words = ["dataset", "trim", str(dataset_root), "--episodes", "0,2", "--start", "0.1", "--end", "0.2"]
    assert main([*words, "--output", str(tmp_path / "cut")]) == 0
    source, cut = open_dataset(dataset_root), open_dataset(tmp_path / "cut")
    assert [episode.length for episode in cut.episodes] == [31, 12, 16]
    rows = [*range(3, 34), *range(40, 52), *range(55, 71)]
    np.testing.assert_array_equal(cut.column("observation.state"), source.column("observation.state")[rows])
    assert np.abs(cut.images(TOP, range(59)).astype(int) - source.images(TOP, rows).astype(int)).mean() < 6
    assert VideoFrames().read(cut.episodes[2].videos[TOP].path, [cut.episodes[2].videos[TOP].start_s]).shape[0] == 1


def test_a_dataset_without_still_ends_is_left_alone(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "trim", str(dataset_root)]) == 0
    assert "nothing to cut" in capsys.readouterr().out
    assert [path.name for path in dataset_root.parent.iterdir()] == ["demos"]


def test_times_that_leave_nothing_are_refused(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "trim", str(dataset_root), "--start", "0.4"]) == 2
    assert "episode 1: expected more than 0.4 s, found 0.40 s" in capsys.readouterr().err
    assert main(["dataset", "trim", str(dataset_root), "--start", "-1"]) == 2
    assert "--start: expected 0 or more seconds" in capsys.readouterr().err
