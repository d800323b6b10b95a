from __future__ import annotations

import json
from pathlib import Path

import pytest
from smolvla_ros.cli import main


def test_what_a_dataset_holds_is_said(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "info", str(dataset_root)]) == 0
    said = capsys.readouterr().out
    assert "3 episodes of 0.4 to 1.3 s, 77 frames at 30 a second: 2.6 s" in said
    assert "   2 episodes  put the red cube in the blue box" in said
    assert "observation.images.top: video 64x96x3, h264" in said
    assert "action: float32 6, degrees, range_0_100: joint_0.pos" in said
    assert "unfinished" not in said


def test_the_same_as_json(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "info", str(dataset_root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == "v3.0"
    assert found["frames"] == 77
    assert found["features"]["observation.state"]["units"] == ["degrees"] * 5 + ["range_0_100"]


def test_what_an_interruption_left_is_said(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset_root / "meta" / "stats.json.writing").write_text("{")
    assert main(["dataset", "info", str(dataset_root)]) == 0
    assert "unfinished: 1 files not written to their end" in capsys.readouterr().out


def test_a_folder_without_a_dataset_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "info", str(tmp_path)]) == 2
    assert "give the folder of a LeRobot dataset" in capsys.readouterr().err
