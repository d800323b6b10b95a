"""Two engines on the same observations, from the simulator or from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from smolvla_ros.cli import main
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import save_checkpoint
from smolvla_ros.model.random_checkpoint import random_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny"), folder)
    return folder


def test_engines_agree_on_a_scene_and_on_its_recording(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, reports = tmp_path / "scene.npz", ["--reports", str(tmp_path)]
    scene = ["--other-engine", "cpu-fp32", "--observations", "2", "--save", str(recording), *reports]
    assert main(["compare", str(folder), *scene]) == 0
    fresh = json.loads((tmp_path / "compare.json").read_text())["rows"]
    assert [row["joint"] for row in fresh] == [*load_embodiment().joint_names, "all"]
    assert fresh[-1]["mean_rel_error"] < 1e-4
    assert "on cpu-fp32: median" in capsys.readouterr().out
    again = ["--other-engine", "cpu-fp32", "--recording", str(recording), *reports]
    assert main(["compare", str(folder), *again]) == 0
    replayed = json.loads((tmp_path / "compare.json").read_text())["rows"]
    assert replayed[-1]["spread_deg"] == pytest.approx(fresh[-1]["spread_deg"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "warp"], "engine: expected auto or one of"),
        (["--observations", "0"], "--observations: expected at least 1, found 0"),
        (
            ["--recording", "/nowhere.npz"],
            "/nowhere.npz: expected observations as `smolvla compare",
        ),
    ],
)
def test_what_cannot_be_compared_ends_with_one_line(
    folder: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(folder), *words]) == 2
    assert told in capsys.readouterr().err
