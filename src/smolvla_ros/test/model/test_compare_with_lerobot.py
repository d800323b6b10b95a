"""The commands that run LeRobot beside us, as far as they go without it; with it they are run by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import compare_with_lerobot
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from smolvla_ros.model.compare_with_lerobot import Outcome, main
from smolvla_ros.model.comparison_cases import (
    CASES,
    Case,
    cast_as_published,
    checkpoint_of,
    published_bfloat16,
    sample_of,
)
from smolvla_ros.model.config import SMOLVLM2_500M, SmolVLAConfig
from smolvla_ros.model.peer_run import PeerError, Sample, random_sample, run_here, run_peer
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.uninitialised import uninitialised


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny"), tmp_path / "checkpoint")
    return load_checkpoint(tmp_path / "checkpoint")


def test_a_python_that_is_not_there_ends_with_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "/nowhere/python"]) == 2
    assert "/nowhere/python: expected a python with lerobot 0.6.1" in capsys.readouterr().err


def test_a_folder_without_a_checkpoint_ends_with_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--peer", "/nowhere/python", "--checkpoint", str(tmp_path)]) == 2
    assert f"{tmp_path}" in capsys.readouterr().err


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_makes_a_checkpoint_and_a_sample_that_survive_their_files(case: Case, tmp_path: Path) -> None:
    made = checkpoint_of(case, "tiny", seed=2)
    save_checkpoint(made, tmp_path / "checkpoint")
    checkpoint = load_checkpoint(tmp_path / "checkpoint")
    sample = sample_of(case, checkpoint, seed=2)
    sample.save(tmp_path / "sample.npz")
    expected, found = run_here(made, sample), run_here(checkpoint, Sample.load(tmp_path / "sample.npz"))
    assert expected["chunk"].shape == (len(case.instructions), 50, 6)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-4 if name == "actions" else 1e-5)


def test_published_types_are_those_of_the_public_layout() -> None:
    layout = json.loads((Path(__file__).parent.parent / "data" / "public_layout.json").read_text())
    model = empty_like_published()
    bfloat16 = {name for name, (dtype, _) in layout.items() if dtype == "bfloat16" and "lm_head" not in name}
    assert set(published_bfloat16(model)) == bfloat16


def empty_like_published() -> SmolVLA:
    features = {
        "input_features": {
            "observation.images.camera1": {"type": "VISUAL", "shape": [3, 256, 256]},
            "observation.state": {"type": "STATE", "shape": [6]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
    }
    with uninitialised():
        return SmolVLA(SmolVLAConfig.from_json(features, "config.json"), SMOLVLM2_500M)


def test_a_cast_of_a_cases_weights_loses_nothing() -> None:
    model = checkpoint_of(CASES[0], "tiny", seed=0).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cast_as_published(model)
    after = model.state_dict()
    assert {name for name, tensor in after.items() if tensor.dtype == torch.bfloat16} == set(published_bfloat16(model))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name].float(), tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("float32", "ours", "equal"), [(1e-6, 1e-3, True), (1e-6, 1.4e-3, True), (2e-5, 1e-3, False), (1e-6, 2e-3, False)]
)
def test_equal_is_within_the_tolerance_and_rounded_no_worse_than_lerobot(
    float32: float, ours: float, equal: bool
) -> None:
    assert Outcome(float32, ours, theirs=1e-3, size=1.0, tokens=12).equal(1e-5) == equal


def test_a_case_is_skipped_with_a_message_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       9000000 kB\nMemAvailable:    1572864 kB\n")
    monkeypatch.setattr(compare_with_lerobot, "MEMORY_FILE", meminfo)
    assert main(["--peer", "/nowhere/python", "--all", "twice", "--size", "full"]) == 0
    assert "twice the language layers | | | | | | skipped: needs 16 GiB, 1.5 free" in capsys.readouterr().out


def test_all_cases_need_a_peer_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "/nowhere/python", "--all", "one camera"]) == 2
    assert "expected a python with lerobot 0.6.1" in capsys.readouterr().err
