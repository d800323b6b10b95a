"""`smolvla convert`."""

from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.cli import main
from smolvla_ros.commands.convert import DTYPES
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import weights
from smolvla_ros.policies.registry import make_policy


def test_what_is_written_runs_on_the_robot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    assert main(["checkpoint", "init", str(source)]) == 0
    assert main(["convert", str(source), str(target), "--dtype", "bfloat16"]) == 0
    assert "504,976 parameters" in capsys.readouterr().out
    make_policy(str(target), load_embodiment())
    assert main(["convert", str(source), str(target)]) == 2
    assert "--force" in capsys.readouterr().err


def test_statistics_may_be_named_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    assert main(["checkpoint", "init", str(source)]) == 0
    names = ["--statistics", str(next(source.glob("policy_pre*.safetensors"))), "--statistics", "nowhere"]
    assert main(["convert", str(source), str(tmp_path / "target"), *names]) == 2
    assert "statistics 'nowhere'" in capsys.readouterr().err
    assert main(["convert", str(source), str(tmp_path / "target"), *names[:2]]) == 0


def test_every_offered_type_is_known() -> None:
    assert set(DTYPES) == set(weights.DTYPES)
