from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
from smolvla_ros.cli import main
from smolvla_ros.commands.evaluate import summarise, wilson_interval


def evaluated(tmp_path: Path, *words: str) -> dict:
    folders = ("--output", str(tmp_path / "out"), "--reports", str(tmp_path / "reports"))
    assert main(["eval", "--in-process", *folders, *words]) == 0
    return json.loads((tmp_path / "reports" / "eval.json").read_text())["rows"][0]


def test_the_interval_is_wilsons() -> None:
    low, high = wilson_interval(90, 100)
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_time_is_of_the_tasks_that_were_done_and_throughput_of_all() -> None:
    times = [(True, 4.0), (False, 20.0)]
    rows = [
        {"policy": "p", "task_done": d, "duration_s": s, "recorded_s": s, "chunks": 8, "starved_s": 0.0}
        for d, s in times
    ]
    summary = summarise(rows)
    assert summary["mean_time_s"] == 4.0
    assert summary["tasks_per_minute"] == 2.5
    assert (summary["successes"], summary["episodes"]) == (1, 2)


@pytest.mark.parametrize("task", ["pick_and_place", "stacking"])
def test_the_scripted_policy_does_what_is_asked(task: str, tmp_path: Path) -> None:
    row = evaluated(tmp_path, "policy:=scripted", "--task", task, "--episodes", "2")
    assert (row["successes"], row["task"], row["mode"]) == (2, task, "async")
    assert not (tmp_path / "out" / "failures.png").exists()


def test_other_words_and_sync_mode_are_understood(tmp_path: Path) -> None:
    row = evaluated(tmp_path, "policy:=scripted", "mode:=sync", "--rephrased", "--episodes", "1", "--first-seed", "3")
    assert (row["successes"], row["mode"], row["rephrased"]) == (1, "sync", True)


def test_failures_are_shown_on_a_sheet(tmp_path: Path) -> None:
    row = evaluated(tmp_path, "policy:=scripted", "--episodes", "2", "--time-limit", "0.5")
    assert row["successes"] == 0
    sheet = cv2.imread(str(tmp_path / "out" / "failures.png"))
    assert sheet.shape[1] == 2 * 400
    assert sheet[:300, :400].std() > 20  # a picture of the scene and no blank


def test_a_learned_policy_gets_the_cameras_pictures(tmp_path: Path) -> None:
    assert main(["checkpoint", "init", str(tmp_path / "tiny")]) == 0
    row = evaluated(tmp_path, f"policy:={tmp_path / 'tiny'}", "--episodes", "1", "--time-limit", "0.5")
    assert row["chunks_per_s"] > 0
    shutil.rmtree(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--episodes", "0"], "--episodes: expected at least 1, found 0"),
        (["--time-limit", "0"], "--time-limit: expected more than 0 s"),
        (["--rephrased", "--task", "sorting"], "--rephrased: expected --task pick_and_place, found sorting"),
        (["mode:=fast"], "mode: expected one of async, sync, found 'fast'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["eval", *words]) == 2
    assert told in capsys.readouterr().err
