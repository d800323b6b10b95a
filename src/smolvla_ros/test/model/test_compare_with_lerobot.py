"""The commands that run LeRobot beside us, as far as they go without it; with it they are run by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import bench
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from smolvla_ros.model.compare_with_lerobot import PeerError, Sample, main, random_sample, run_here, run_peer
from smolvla_ros.model.random_checkpoint import random_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny"), tmp_path / "checkpoint")
    return load_checkpoint(tmp_path / "checkpoint")


def test_a_python_that_is_not_there_ends_with_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "/nowhere/python"]) == 2
    assert "/nowhere/python: expected a python with lerobot 0.6.1" in capsys.readouterr().err


def test_a_python_without_lerobot_says_what_it_lacks(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="No module named"):
        run_peer(Path(sys.executable), tmp_path / "checkpoint", random_sample(checkpoint, 0), threads=1)


def test_a_sample_survives_its_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    sample = random_sample(checkpoint, seed=3)
    sample.save(tmp_path / "sample.npz")
    again = Sample.load(tmp_path / "sample.npz")
    assert again.instruction == sample.instruction
    assert list(again.images) == list(sample.images) == ["observation.images.top", "observation.images.wrist"]
    np.testing.assert_array_equal(run_here(checkpoint, again)["chunk"], run_here(checkpoint, sample)["chunk"])


def test_the_bench_measures_the_policy_that_compare_checks(checkpoint: Checkpoint, tmp_path: Path) -> None:
    sample = random_sample(checkpoint, seed=1)
    measured = bench.measure(tmp_path / "checkpoint", sample, repeat=2)
    np.testing.assert_array_equal(measured["chunk"], run_here(checkpoint, sample)["chunk"])
    assert len(measured["seconds"]) == 2
    assert min(measured["floor_s"], measured["load_s"], measured["peak_rss_bytes"]) > 0
