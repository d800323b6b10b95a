from __future__ import annotations

import json
from pathlib import Path

import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset_arrays import write_here

from .conftest import arm_arrays


def test_a_good_dataset_ends_with_0(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "check", str(dataset_root)]) == 0
    assert capsys.readouterr().out == "3 episodes, 77 frames: no findings\n"


def test_findings_name_episode_frame_and_remedy_and_end_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = arm_arrays(3, (60, 60))
    arrays["observation.images.top"][67:97] = arrays["observation.images.top"][67]
    write_here(tmp_path / "d", arrays, "h264")
    assert main(["dataset", "check", str(tmp_path / "d")]) == 1
    said = capsys.readouterr().out
    assert "episode 1: observation.images.top: expected pictures that change with the arm" in said
    assert "from frame 7 to 36; `smolvla dataset delete` or `trim` it" in said
    assert "2 episodes, 120 frames: 1 findings" in said
    assert main(["dataset", "check", str(tmp_path / "d"), "--json"]) == 1
    finding = json.loads(capsys.readouterr().out)
    assert (finding["kind"], finding["episode"], finding["frame"]) == ("frozen", 1, 7)
    assert main(["dataset", "check", str(tmp_path / "d"), "--no-pictures"]) == 0


def test_a_folder_without_a_dataset_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "check", str(tmp_path)]) == 2
    assert "expected a text file" in capsys.readouterr().err
