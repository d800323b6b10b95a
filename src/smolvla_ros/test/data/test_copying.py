from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.copying import copy_episodes
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import Arrays, made_arrays, write_here
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.version_21_writer import write_version_21

from .conftest import episode_rows

TOP = "observation.images.top"


def test_chosen_episodes_are_renumbered_and_keep_rows_pictures_and_tasks(written: Path, tmp_path: Path) -> None:
    source = open_dataset(written)
    copy_episodes([(source, [2, 0]), (source, [2])], tmp_path / "copy")
    copy = open_dataset(tmp_path / "copy")
    rows = np.concatenate([np.arange(17)[episode_rows(i)] for i in (2, 0, 2)])
    np.testing.assert_array_equal(copy.column("action"), source.column("action")[rows])
    np.testing.assert_array_equal(copy.images(TOP, range(len(rows))), source.images(TOP, rows))
    assert [copy.task(row) for row in range(len(rows))] == [source.task(row) for row in rows]
    assert copy.column("index").tolist() == list(range(19))
    assert copy.info.features["action"].units == source.info.features["action"].units


def test_v21_holds_the_same_and_comes_back_the_same(written: Path, tmp_path: Path, arrays: Arrays) -> None:
    source = open_dataset(written)
    write_version_21(source, tmp_path / "old")
    old = open_dataset(tmp_path / "old")
    assert old.info.version == "v2.1"
    assert (tmp_path / "old" / "videos" / "chunk-000" / TOP / "episode_000002.mp4").is_file()
    assert (tmp_path / "old" / "data" / "chunk-000" / "episode_000001.parquet").is_file()
    copy_episodes([(old, range(3))], tmp_path / "new")
    new = open_dataset(tmp_path / "new")
    for dataset in (old, new):
        np.testing.assert_array_equal(dataset.column("observation.grid"), arrays["observation.grid"])
        np.testing.assert_array_equal(dataset.images(TOP, range(17)), source.images(TOP, range(17)))
        assert dataset.tasks == source.tasks
        for feature, statistics in source.statistics.items():
            for name, values in statistics.items():
                np.testing.assert_allclose(dataset.statistics[feature][name], values, rtol=1e-9, atol=1e-9)


def test_statistics_of_pictures_that_lack_quantiles_are_made_anew(written: Path, tmp_path: Path) -> None:
    write_version_21(open_dataset(written), tmp_path / "old")
    path = tmp_path / "old" / "meta" / "episodes_stats.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        for statistics in line["stats"].values():
            for name in [name for name in statistics if name.startswith("q")]:
                del statistics[name]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    old = open_dataset(tmp_path / "old")
    assert "q50" not in old.statistics["action"]
    copy_episodes([(old, range(3))], tmp_path / "new")
    expected, found = (open_dataset(root).statistics[TOP] for root in (written, tmp_path / "new"))
    assert found["q50"].shape == (3, 1, 1)
    np.testing.assert_allclose(found["mean"], expected["mean"], atol=0.02)  # of decoded pictures
    assert found["count"].tolist() == [17]


def test_datasets_that_differ_in_units_are_not_joined(written: Path, tmp_path: Path) -> None:
    write_here(tmp_path / "other", made_arrays(5, (3,)), "h264")
    path = tmp_path / "other" / "meta" / "info.json"
    path.write_text(path.read_text().replace('"degrees"', '"radians"'))
    with pytest.raises(DatasetError, match=r"action.units: expected .*'degrees'.*, found .*'radians'"):
        copy_episodes([(open_dataset(written), [0]), (open_dataset(tmp_path / "other"), [0])], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_datasets_of_two_codecs_are_joined_in_files_of_their_own(written: Path, tmp_path: Path) -> None:
    write_here(tmp_path / "other", made_arrays(5, (3,)), "av1")
    one, other = open_dataset(written), open_dataset(tmp_path / "other")
    copy_episodes([(one, [0]), (other, [0])], tmp_path / "joined")
    joined = open_dataset(tmp_path / "joined")
    assert len(list((tmp_path / "joined" / "videos" / TOP).rglob("*.mp4"))) == 2
    np.testing.assert_array_equal(joined.images(TOP, range(9, 12)), other.images(TOP, range(3)))


def test_nothing_is_left_where_a_copy_fails_nor_written_over(written: Path, tmp_path: Path) -> None:
    source = open_dataset(written)
    with pytest.raises(DatasetError, match="episode: expected 0 to 2, found 3"):
        copy_episodes([(source, [0, 3])], tmp_path / "copy")
    video = next((written / "videos" / TOP).rglob("*.mp4"))
    video.write_bytes(video.read_bytes()[:3000])
    with pytest.raises(DatasetError):
        copy_episodes([(open_dataset(written), [0, 1, 2])], tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["written"]
    for write in (lambda: copy_episodes([(source, [0])], written), lambda: write_version_21(source, written)):
        with pytest.raises(DatasetError, match="expected a folder that is not there"):
            write()
