"""The command that runs LeRobot beside us, as far as it goes without it; with it it is run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.compare_with_lerobot import PeerError, difference, main, run_peer
from smolvla_ros.data.dataset_arrays import read_here


def test_a_python_that_is_not_there_ends_with_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "/nowhere/python"]) == 2
    assert "/nowhere/python: expected a python with lerobot 0.6.1" in capsys.readouterr().err


def test_a_python_without_lerobot_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="No module named"):
        run_peer(Path(sys.executable), "read", tmp_path, tmp_path / "output.npz")


@pytest.mark.parametrize(
    ("name", "add"),
    [("action", 1e-6), ("observation.images.top", 1), ("stats/action/q90", 1e-3), ("stats/index/count", 1)],
)
def test_every_kind_of_difference_is_seen(written: Path, name: str, add: float) -> None:
    ours = read_here(written, horizon=3)
    assert difference(ours, read_here(written, horizon=3)).equal
    other = ours[name] + np.asarray(add, dtype=ours[name].dtype)
    assert not difference(ours, {**ours, name: other}).equal


def test_what_only_one_reads_or_says_otherwise_is_told(written: Path) -> None:
    ours = read_here(written, horizon=3)
    theirs = {**ours, "task": np.array(["other"] * 17), "new": ours["index"], "index": ours["index"][1:]}
    theirs["action_is_pad"] = ~ours["action_is_pad"]
    found = difference(ours, theirs)
    assert set(found.wrong) == {
        "new is only in one",
        "task differs",
        "action_is_pad differs",
        "index: (17,) here, (16,) in LeRobot",
    }


def test_some_frames_of_a_large_dataset_are_those_of_all(written: Path) -> None:
    every, some = read_here(written, horizon=3), read_here(written, horizon=3, every=5)
    assert len(some["index"]) == 4
    for name, values in some.items():
        whole = name == "lengths" or name.startswith("stats/")
        np.testing.assert_array_equal(values, every[name] if whole else every[name][::5], err_msg=name)


def test_a_dataset_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "/nowhere/python", "--dataset", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
