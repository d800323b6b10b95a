from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import write_here
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE, save_embodiment
from smolvla_ros.data.feature_statistics import vector_statistics
from smolvla_ros.embodiment import load_embodiment

from .conftest import arm_arrays


@pytest.fixture
def other_root(tmp_path: Path) -> Path:
    write_here(tmp_path / "other", arm_arrays(5, (20,)), "h264")
    return tmp_path / "other"


def test_a_merged_dataset_has_all_rows_tasks_and_their_statistics(
    dataset_root: Path, other_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "merge", str(dataset_root), str(other_root), "--output", str(tmp_path / "all")]) == 0
    assert "all: 4 episodes, 97 frames, 2 tasks" in capsys.readouterr().out
    one, other, merged = (open_dataset(root) for root in (dataset_root, other_root, tmp_path / "all"))
    actions = np.concatenate([one.column("action"), other.column("action")])
    np.testing.assert_array_equal(merged.column("action"), actions)
    assert [merged.task(row) for row in range(97)] == [d.task(row) for d in (one, other) for row in range(len(d))]
    expected = vector_statistics(actions)
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(merged.statistics["action"][name], expected[name], rtol=1e-6)
    assert main(["dataset", "check", str(tmp_path / "all")]) == 0


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("units", ["radians"] * 6, "action.units: expected ('degrees'"),
        ("names", ["a", "b", "c", "d", "e", "f"], "action.names: expected ('joint_0.pos'"),
    ],
)
def test_a_dataset_of_another_kind_is_refused_with_the_field(
    dataset_root: Path, other_root: Path, field: str, value: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = other_root / "meta" / "info.json"
    info = json.loads(path.read_text())
    info["features"]["action"][field] = value
    path.write_text(json.dumps(info))
    output = dataset_root.with_name("all")
    assert main(["dataset", "merge", str(dataset_root), str(other_root), "--output", str(output)]) == 2
    assert told in capsys.readouterr().err
    assert not output.exists()


def test_the_embodiment_file_stays_where_all_have_the_same(
    dataset_root: Path, other_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for root in (dataset_root, other_root):
        save_embodiment(root, load_embodiment())
    words = ["dataset", "merge", str(dataset_root), str(other_root), "--output"]
    assert main([*words, str(tmp_path / "all")]) == 0
    assert (tmp_path / "all" / EMBODIMENT_FILE).read_text() == (other_root / EMBODIMENT_FILE).read_text()
    (other_root / EMBODIMENT_FILE).write_text("another")
    assert main([*words, str(tmp_path / "more")]) == 0
    assert not (tmp_path / "more" / EMBODIMENT_FILE).exists()
    assert "meta/embodiment.yaml left out: it is not the same in all datasets" in capsys.readouterr().out
