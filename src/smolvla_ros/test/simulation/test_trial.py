from __future__ import annotations

import re

import pytest
from smolvla_ros.embodiment import DEFAULT_FILE
from smolvla_ros.simulation import trial


def test_it_tells_how_many_scenes_were_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--scenes", "4", "--seed", "50"])
    assert trial.main() == 0
    assert re.search(r"4 of 4 scenes done, \d+\.\d\d s a task", capsys.readouterr().out)


@pytest.mark.parametrize("task", ["stacking", "sorting"])
def test_the_other_tasks_are_done_too(
    task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--scenes", "2", "--seed", "50", "--task", task])
    assert trial.main() == 0, capsys.readouterr().out


def test_a_scene_that_is_not_done_in_time_is_told_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--scenes", "1", "--seed", "50"])
    monkeypatch.setattr(trial, "TIME_LIMIT_S", 1.0)
    assert trial.main() == 1
    assert re.search(r"seed 50: failed: the red cube is \d+ mm from", capsys.readouterr().out)


def test_an_so101_does_the_tasks_by_the_same_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    embodiment = str(DEFAULT_FILE.with_name("so101.yaml"))
    monkeypatch.setattr("sys.argv", ["trial", "--scenes", "4", "--seed", "60", "--embodiment", embodiment])
    assert trial.main() == 0
    assert "4 of 4 scenes done" in capsys.readouterr().out


def test_no_scenes_at_all_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--scenes", "0"])
    with pytest.raises(SystemExit):
        trial.main()
    assert "expected at least 1, found 0" in capsys.readouterr().err
