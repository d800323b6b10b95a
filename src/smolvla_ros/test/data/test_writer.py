"""Episodes are there whole or not at all, whenever the writer stops."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data import commit
from smolvla_ros.data.commit import remove_uncommitted
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import FEATURES, FPS, TASKS, Arrays, made_arrays, write_here
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.features import camera
from smolvla_ros.data.info import read_info, write_info
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.writer import commit_parts, create_dataset, pending_parts, write_part

from .conftest import LENGTHS, episode_rows


def episode(arrays: Arrays, index: int, **changed: object) -> RecordedEpisode:
    rows = episode_rows(index)
    columns = {name: arrays[name][rows] for name in FEATURES if not FEATURES[name].is_camera}
    images = {name: arrays[name][rows] for name in FEATURES if FEATURES[name].is_camera}
    given = {"task": TASKS[0], "columns": columns, "images": images, "notes": {"operator": "a"}, **changed}
    return RecordedEpisode(**given)  # type: ignore[arg-type]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_parts_are_written_in_any_order_and_committed_in_theirs(tmp_path: Path, arrays: Arrays) -> None:
    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    for index in (2, 0, 1):
        write_part(root, index, episode(arrays, index))
    assert pending_parts(root) == [0, 1, 2]
    assert len(open_dataset(root)) == 0
    assert commit_parts(root).total_episodes == 3
    assert pending_parts(root) == []
    assert not (root / ".parts").exists()
    np.testing.assert_array_equal(open_dataset(root).column("action"), arrays["action"])
    notes = [json.loads(line) for line in (root / "meta" / "episode_notes.jsonl").read_text().splitlines()]
    assert notes == [{"episode_index": i, "operator": "a"} for i in range(3)]


def test_several_processes_write_parts_of_one_dataset(tmp_path: Path, arrays: Arrays) -> None:
    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for written in [pool.submit(write_part, root, index, episode(arrays, index)) for index in range(3)]:
            written.result()
    commit_parts(root)
    np.testing.assert_array_equal(open_dataset(root).column("action"), arrays["action"])


def test_a_missing_part_is_named_and_nothing_is_committed(tmp_path: Path, arrays: Arrays) -> None:
    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    write_part(root, 1, episode(arrays, 1))
    with pytest.raises(DatasetError, match=r"each episode up to the last, found none for \[0\]; write these first"):
        commit_parts(root)
    assert pending_parts(root) == [1]
    with pytest.raises(DatasetError, match=r"episode 1: expected one that is not there yet.*go on with 0"):
        write_part(root, 1, episode(arrays, 1))


def test_an_episode_that_fails_midway_leaves_nothing(tmp_path: Path, arrays: Arrays) -> None:
    def breaks() -> Iterator[np.ndarray]:
        yield arrays["observation.images.top"][0]
        raise OSError(28, "No space left on device")

    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    before = files(root)
    images = {"observation.images.wrist": arrays["observation.images.wrist"][:9], "observation.images.top": breaks()}
    with pytest.raises(OSError, match="No space left"):
        write_part(root, 0, episode(arrays, 0, images=images))
    assert files(root) == before
    assert pending_parts(root) == []


WRITES = ("write_tasks", "write_json_lines", "write_episodes", "write_json", "write_info")


@pytest.mark.parametrize("step", WRITES)
def test_a_commit_that_stops_at_any_step_shows_the_episodes_from_before_and_can_be_repeated(
    written: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = open_dataset(written)
    more = made_arrays(seed=9, lengths=(4,))
    with monkeypatch.context() as patch:
        patch.setattr(commit, step, stop)
        with pytest.raises(KeyboardInterrupt):
            write_here(written, more, "h264")
    after = open_dataset(written)
    assert (len(after), len(after.episodes), after.tasks) == (17, 3, before.tasks)
    np.testing.assert_array_equal(
        after.images("observation.images.top", range(17)), before.images("observation.images.top", range(17))
    )
    assert pending_parts(written) == [3]
    commit_parts(written)
    whole = open_dataset(written)
    assert len(whole) == 21
    np.testing.assert_array_equal(whole.column("action")[17:], more["action"])
    assert len(list(written.glob("data/*/*.parquet"))) == 2
    assert whole.statistics["action"]["count"].tolist() == [21]


def test_what_no_committed_episode_names_is_removed_and_nothing_else(written: Path) -> None:
    half_a_part = written / ".parts" / "episode-000003.writing" / "part.json.writing"
    half_a_part.parent.mkdir(parents=True)
    half_a_part.write_text("{")
    whole = files(written)
    data = next(written.glob("data/*/*.parquet"))
    shutil.copy(data, data.with_name("file-007.parquet"))
    data.with_name("file-008.parquet.writing").write_bytes(b"half")
    removed = remove_uncommitted(written, read_info(written))
    assert sorted(path.name for path in removed) == ["file-007.parquet", "file-008.parquet.writing"]
    assert files(written) == whole


def test_files_of_the_size_named_are_followed_by_new_ones(tmp_path: Path, arrays: Arrays) -> None:
    root = tmp_path / "d"
    info = create_dataset(root, FEATURES, FPS, "so100", "h264")
    write_info(root, replace(info, data_files_size_in_mb=0.001, video_files_size_in_mb=0.02, chunks_size=2))
    for index in range(len(LENGTHS)):
        write_part(root, index, episode(arrays, index))
    commit_parts(root)
    names = sorted(str(path.relative_to(root)) for path in root.glob("data/**/*.parquet"))
    assert names == [f"data/chunk-{c}/file-{f}.parquet" for c, f in (("000", "000"), ("000", "001"), ("001", "000"))]
    dataset = open_dataset(root)
    for row in range(17):
        picture = dataset.image("observation.images.wrist", row).astype(int)
        error = np.abs(picture - arrays["observation.images.wrist"].astype(int)).mean(axis=(1, 2, 3))
        assert error.argmin() == row


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"columns": {}}, "features of the episode: expected .*'action'.*missing .*'action'"),
        ({"task": ""}, "name the task in words"),
        ({"task": ["one", "two"]}, "9 frames with 2 tasks"),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(
    tmp_path: Path, arrays: Arrays, changed: dict[str, object], message: str
) -> None:
    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    with pytest.raises(DatasetError, match=message):
        write_part(root, 0, episode(arrays, 0, **changed))


def test_values_and_pictures_that_do_not_fit_are_refused_with_their_place(tmp_path: Path, arrays: Arrays) -> None:
    root = tmp_path / "d"
    create_dataset(root, FEATURES, FPS, "so100", "h264")
    good = episode(arrays, 0)
    bad = good.columns["action"].copy()
    bad[4, 2] = np.nan
    with pytest.raises(DatasetError, match="action at frame 4: expected finite numbers"):
        write_part(root, 0, episode(arrays, 0, columns={**good.columns, "action": bad}))
    with pytest.raises(DatasetError, match=r"action: expected shape \(9, 6\), found \(9, 5\)"):
        write_part(root, 0, episode(arrays, 0, columns={**good.columns, "action": bad[:, :5]}))
    top = "observation.images.top"
    with pytest.raises(DatasetError, match=r"observation.images.top: expected 9 images, one for each row, found 8"):
        write_part(root, 0, episode(arrays, 0, images={**good.images, top: arrays[top][:8]}))
    changed = [*arrays[top][:5], *arrays["observation.images.wrist"][5:9]]
    with pytest.raises(DatasetError, match=r"expected images \(64, 96, 3\) of uint8, found \(240, 320, 3\) .*frame 5"):
        write_part(root, 0, episode(arrays, 0, images={**good.images, top: changed}))
    assert pending_parts(root) == []


def test_a_dataset_is_not_begun_over_another_nor_with_a_camera_no_video_can_hold(written: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder without a dataset"):
        create_dataset(written, FEATURES, FPS, "so100")
    with pytest.raises(DatasetError, match=r"\(height, width, 3\), both even, found \(63, 96, 3\)"):
        create_dataset(tmp_path / "odd", {"observation.images.top": camera(63, 96)}, FPS, "so100")
    with pytest.raises(DatasetError, match="codec: expected av1 or h264, found vp9"):
        create_dataset(tmp_path / "codec", FEATURES, FPS, "so100", "vp9")
    with pytest.raises(DatasetError, match="fps: expected a whole number above 0"):
        create_dataset(tmp_path / "fps", FEATURES, 0, "so100")
