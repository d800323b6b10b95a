"""`smolvla inspect`: fits, does not fit, or is none, by its exit status too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from smolvla_ros.cli import main


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "checkpoint"
    assert main(["checkpoint", "init", str(folder)]) == 0
    return folder


def test_a_checkpoint_that_fits_ends_with_0(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(saved)]) == 0
    said = capsys.readouterr().out
    for words in ("504,976 parameters", "4 language, 4 expert, 2 vision", "50 actions in 10 steps", "\nfits so100"):
        assert words in said


def test_the_same_as_json(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(saved), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["fits"]
    assert all(check["fits"] for check in answer["checks"])
    assert answer["parameters"] == 504976


def test_a_robot_with_another_camera_does_not_fit(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yaml"
    text = (saved / "embodiment.yaml").read_text()
    other.write_text(text.replace("observation.images.wrist", "observation.images.side"))
    assert main(["inspect", str(saved), "--embodiment", str(other)]) == 1
    said = capsys.readouterr().out
    assert "missing observation.images.wrist" in said
    assert "1 of 10 checks failed" in said


def test_what_is_no_checkpoint_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path)]) == 2
    assert "config.json: expected a file" in capsys.readouterr().err
