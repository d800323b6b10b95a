from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import FEATURES, write_here
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.writer import write_part

from .conftest import arm_arrays

TOP = "observation.images.top"


def repaired(root: Path) -> int:
    return main(["dataset", "repair", str(root)])


def same_episodes(root: Path, source: Path, kept: list[int]) -> None:
    found, whole = open_dataset(root), open_dataset(source)
    rows = np.concatenate([np.arange(whole.episodes[i].start, whole.episodes[i].end) for i in kept])
    np.testing.assert_array_equal(found.column("action"), whole.column("action")[rows])
    np.testing.assert_array_equal(found.images(TOP, range(len(rows))), whole.images(TOP, rows.tolist()))
    assert [found.task(row) for row in range(len(rows))] == [whole.task(int(row)) for row in rows]
    for name in ("min", "max", "mean", "std"):
        if kept == [0, 1, 2]:
            np.testing.assert_allclose(found.statistics["action"][name], whole.statistics["action"][name], rtol=1e-9)
    assert main(["dataset", "check", str(root)]) == 0


def test_a_sound_dataset_is_left_alone(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repaired(dataset_root) == 0
    assert capsys.readouterr().out == f"{dataset_root}: sound\n"
    assert [path.name for path in dataset_root.parent.iterdir()] == ["demos"]


def test_episodes_written_before_an_interruption_are_committed(
    dataset_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = arm_arrays(6, (10,))
    images = {name: arrays[name] for name in arrays if name in FEATURES and FEATURES[name].is_camera}
    columns = {name: arrays[name] for name in FEATURES if name not in images}
    write_part(dataset_root, 3, RecordedEpisode("lift it", columns, images))
    (dataset_root / "data" / "chunk-000" / "file-001.parquet").write_bytes(b"PAR1")
    (dataset_root / "meta" / "stats.json.writing").write_text("{")
    assert repaired(dataset_root) == 0
    said = capsys.readouterr().out
    assert "1 episodes committed that were written before it was interrupted: [3]" in said
    assert "2 files deleted that were not written to their end" in said
    assert open_dataset(dataset_root).tasks[-1] == "lift it"


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (["meta/episodes"], "list of episodes made anew"),
        (["meta/stats.json"], "stats.json: expected a text file"),
        (["meta/tasks.parquet"], "texts of tasks taken from the list of episodes"),
        (["meta/episodes", "meta/stats.json"], "list of episodes made anew"),
    ],
)
def test_lists_and_statistics_that_are_lost_are_made_anew(
    dataset_root: Path, made_once: Path, lost: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in lost:
        path = dataset_root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert repaired(dataset_root) == 0
    said = capsys.readouterr().out
    assert told in said
    assert f"3 episodes, 77 frames, statistics made anew; as it was before: {dataset_root}_old" in said
    same_episodes(dataset_root, made_once, [0, 1, 2])


def test_a_list_of_episodes_is_made_anew_over_several_files(tmp_path: Path, made_once: Path) -> None:
    root = Path(shutil.copytree(made_once, tmp_path / "grown"))
    write_here(root, arm_arrays(8, (20, 9)), "h264")
    whole = Path(shutil.copytree(root, tmp_path / "whole"))
    shutil.rmtree(root / "meta" / "episodes")
    assert repaired(root) == 0
    same_episodes(root, whole, [0, 1, 2, 3, 4])


def test_statistics_that_do_not_fit_are_made_anew(dataset_root: Path, made_once: Path) -> None:
    path = dataset_root / "meta" / "stats.json"
    raw = json.loads(path.read_text())
    raw["action"]["mean"][0] += 5
    path.write_text(json.dumps(raw))
    assert main(["dataset", "check", str(dataset_root)]) == 1
    assert repaired(dataset_root) == 0
    same_episodes(dataset_root, made_once, [0, 1, 2])


def test_an_episode_without_its_pictures_is_left_out(
    dataset_root: Path, made_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short"
    assert main(["dataset", "delete", str(dataset_root), "--episodes", "2", "--output", str(short)]) == 0
    name = f"videos/{TOP}/chunk-000/file-000.mp4"
    shutil.copyfile(short / name, dataset_root / name)
    assert repaired(dataset_root) == 0
    assert f"episode 2 left out: {TOP} has 0 of its 25 pictures" in capsys.readouterr().out
    same_episodes(dataset_root, made_once, [0, 1])


def change_rows(root: Path, column: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = root / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(path)
    place, values = table.column_names.index(column), change(table[column].to_numpy().copy())
    pq.write_table(table.set_column(place, column, pa.array(values, table.schema.field(column).type)), path)


def test_times_that_are_not_those_of_the_frames_are_made_anew(
    dataset_root: Path, made_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_rows(dataset_root, "timestamp", lambda times: times + np.float32(0.5))
    assert repaired(dataset_root) == 0
    assert "found: episode 0: timestamp: expected" in capsys.readouterr().out
    same_episodes(dataset_root, made_once, [0, 1, 2])


def test_an_episode_that_misses_a_row_is_left_out(
    dataset_root: Path, made_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_rows(dataset_root, "frame_index", lambda frames: np.where(np.arange(77) // 44 == 1, frames + 1, frames))
    assert repaired(dataset_root) == 0
    assert "episode 1 left out: its row 4 is missing" in capsys.readouterr().out
    same_episodes(dataset_root, made_once, [0])


def test_a_file_of_rows_that_is_cut_is_told_and_what_is_left_is_kept(
    dataset_root: Path, made_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_here(dataset_root, arm_arrays(8, (20,)), "h264")
    path = dataset_root / "data" / "chunk-000" / "file-001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["dataset", "repair", str(dataset_root), "--output", str(tmp_path / "mended")]) == 0
    said = capsys.readouterr().out
    assert "file-001.parquet: expected a parquet file" in said
    assert "episode 3 left out: its rows are lost" in said
    same_episodes(tmp_path / "mended", made_once, [0, 1, 2])


def test_where_nothing_is_left_nothing_is_changed(dataset_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (dataset_root / "data").rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    assert repaired(dataset_root) == 2
    assert "expected files of rows that can be read, found none" in capsys.readouterr().err
    assert [path.name for path in dataset_root.parent.iterdir()] == ["demos"]


def test_v21_without_its_list_is_repaired_and_stays_v21(dataset_root: Path, made_once: Path) -> None:
    assert main(["dataset", "convert-version", str(dataset_root), "--to", "v2.1"]) == 0
    shutil.rmtree(f"{dataset_root}_old")
    (dataset_root / "meta" / "episodes.jsonl").unlink()
    assert repaired(dataset_root) == 0
    assert open_dataset(dataset_root).info.version == "v2.1"
    same_episodes(dataset_root, made_once, [0, 1, 2])
