"""`smolvla checkpoint init`."""

from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.cli import main
from smolvla_ros.commands.checkpoint import SIZES
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import random_checkpoint
from smolvla_ros.policies.registry import make_policy


def test_what_init_writes_fits_the_robot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "checkpoint"
    assert main(["checkpoint", "init", str(folder), "--seed", "4"]) == 0
    assert "cameras top, wrist, 6 joints" in capsys.readouterr().out
    robot = load_embodiment()
    policy = make_policy(str(folder), robot)
    assert policy.cameras == tuple(camera.name for camera in robot.cameras)
    assert (folder / "embodiment.yaml").read_text() == robot.path.read_text()


def test_init_overwrites_nothing_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("precious")
    assert main(["checkpoint", "init", str(tmp_path)]) == 2
    assert "expected a new or an empty folder" in capsys.readouterr().err
    assert (tmp_path / "config.json").read_text() == "precious"
    assert main(["checkpoint", "init", str(tmp_path), "--force"]) == 0


def test_every_offered_size_is_known() -> None:
    assert set(SIZES) == set(random_checkpoint.SIZES)
