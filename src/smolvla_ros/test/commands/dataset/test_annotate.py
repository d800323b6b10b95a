from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset

TOP = "observation.images.top"


@pytest.fixture
def review(dataset_root: Path) -> Path:
    """As the command writes it and a person has corrected it."""
    dataset = open_dataset(dataset_root)
    tasks = ["Pick up the cube", "", "Stapel die Würfel"]
    entries = [
        {"episode": e.index, "was": list(e.tasks), "proposed": "Pick", "task": task}
        for e, task in zip(dataset.episodes, tasks, strict=True)
    ]
    path = dataset_root.with_name("demos.tasks.yaml")
    path.write_text(yaml.safe_dump({"model": "m", "camera": TOP, "frames": 4, "episodes": entries}))
    return path


def annotate(*words: object) -> int:
    return main(["dataset", "annotate", *map(str, words)])


def texts(root: Path) -> list[str]:
    dataset = open_dataset(root)
    return ["; ".join(episode.tasks) for episode in dataset.episodes]


def test_a_random_model_proposes_and_its_file_is_applied_and_undone(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ...data.annotation.tiny_qwen import save_tiny_qwen

    before = texts(dataset_root)
    save_tiny_qwen(tmp_path / "model", ["Pick up the cube"])
    assert annotate(dataset_root, "--model", tmp_path / "model", "--device", "cpu", "--frames", 2) == 0
    said = capsys.readouterr().out
    assert "episode 2: put the red cube in the blue box -> " in said
    path = tmp_path / "demos.tasks.yaml"
    assert f"{path}: 3 episodes. Read and correct it" in said
    held = yaml.safe_load(path.read_text())
    assert [entry["episode"] for entry in held["episodes"]] == [0, 1, 2]
    held["episodes"][1]["task"] = "Lift the cube"
    path.write_text(yaml.safe_dump(held))
    assert annotate(dataset_root, "--apply", path) == 0
    assert texts(dataset_root)[1] == "Lift the cube"
    assert annotate(dataset_root, "--undo") == 0
    assert texts(dataset_root) == before


def test_corrected_tasks_become_the_episodes_and_nothing_else_changes(
    dataset_root: Path, made_once: Path, review: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(dataset_root, "--apply", review) == 0
    assert "2 of 3 episodes have new tasks" in capsys.readouterr().out
    dataset, before = open_dataset(dataset_root), open_dataset(made_once)
    assert texts(dataset_root) == ["Pick up the cube", "stelle den Würfel zurück", "Stapel die Würfel"]
    assert dataset.task(76) == "Stapel die Würfel"
    np.testing.assert_array_equal(dataset.column("action"), before.column("action"))
    np.testing.assert_array_equal(dataset.images(TOP, range(77)), before.images(TOP, range(77)))
    assert main(["dataset", "check", str(dataset_root)]) == 0


def test_an_undo_gives_the_tasks_back_also_after_two_changes_and_other_commands(
    dataset_root: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert annotate(dataset_root, "--apply", review) == 0
    text = review.read_text().replace("put the red cube in the blue box", "Pick up the cube", 1)
    text = text.replace("put the red cube in the blue box", '"Stapel die W\\xFCrfel"')
    again = tmp_path / "again.yaml"
    again.write_text(text.replace("task: Pick up the cube", "task: Grasp it"))
    assert annotate(dataset_root, "--apply", again) == 0
    assert main(["dataset", "delete", str(dataset_root), "--episodes", "1"]) == 0
    assert texts(dataset_root) == ["Grasp it", "Stapel die Würfel"]
    assert annotate(dataset_root, "--undo") == 0
    assert texts(dataset_root) == ["put the red cube in the blue box"] * 2
    assert annotate(dataset_root, "--undo") == 0
    assert "0 episodes have the tasks back" in capsys.readouterr().out


def test_a_file_of_another_dataset_is_refused(
    dataset_root: Path, review: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    review.write_text(review.read_text().replace("put the red cube", "put the green cube"))
    assert annotate(dataset_root, "--apply", review) == 2
    assert "episode 0: was: expected ['put the red cube in the blue box'], as in the dataset" in capsys.readouterr().err


def test_without_transformers_what_to_install_is_said(
    dataset_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert annotate(dataset_root) == 2
    assert "pip install 'smolvla_ros[annotate]'" in capsys.readouterr().err


def test_a_camera_or_a_count_that_cannot_be_is_refused(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert annotate(dataset_root, "--camera", "front") == 2
    assert "--camera: expected one of observation.images.top" in capsys.readouterr().err
    assert annotate(dataset_root, "--frames", 0) == 2
    assert "--frames: expected 1 or more" in capsys.readouterr().err
