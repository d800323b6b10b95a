"""What was written is what is read, row for row and picture for picture."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import FEATURES, FPS, TASKS, Arrays, write_here
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.video_frames import VideoFrames

TOP = "observation.images.top"


def test_rows_tasks_and_index_columns_come_back_exactly(written: Path, arrays: Arrays) -> None:
    dataset = open_dataset(written)
    assert len(dataset) == 17
    assert dataset.tasks == TASKS
    for name in ("action", "observation.state", "observation.grid"):
        np.testing.assert_array_equal(dataset.column(name), arrays[name])
    np.testing.assert_array_equal(dataset.column("next.reward"), arrays["next.reward"][:, 0])
    assert [dataset.task(row) for row in range(17)] == arrays["task"].tolist()
    assert dataset.column("episode_index").tolist() == [0] * 9 + [1] * 3 + [2] * 5
    assert dataset.column("frame_index").tolist() == [*range(9), *range(3), *range(5)]
    np.testing.assert_allclose(dataset.column("timestamp"), dataset.column("frame_index") / FPS, atol=1e-6)


@pytest.mark.parametrize("codec", ["av1", "h264"])
def test_every_picture_is_that_of_its_row_at_random_and_in_order(tmp_path: Path, arrays: Arrays, codec: str) -> None:
    write_here(tmp_path / "d", arrays, codec)
    dataset = open_dataset(tmp_path / "d")
    order = np.random.default_rng(0).permutation(17)
    for rows in (order, np.arange(17)):
        for camera in dataset.info.cameras:
            pictures = dataset.images(camera, rows)
            error = np.abs(pictures[:, None].astype(int) - arrays[camera][None].astype(int)).mean(axis=(2, 3, 4))
            np.testing.assert_array_equal(error.argmin(axis=1), rows)


def test_a_chunk_ends_with_its_episode_and_says_so(written: Path, arrays: Arrays) -> None:
    actions, is_pad = open_dataset(written).chunks([0, 7, 11, 16], horizon=4)
    assert is_pad.tolist() == [[False] * 4, [False, False, True, True], [False, True, True, True], [False, *[True] * 3]]
    np.testing.assert_array_equal(actions[0], arrays["action"][:4])
    np.testing.assert_array_equal(actions[1], arrays["action"][[7, 8, 8, 8]])
    np.testing.assert_array_equal(actions[2], arrays["action"][[11, 11, 11, 11]])


def test_units_names_and_rates_are_kept(written: Path) -> None:
    info = open_dataset(written).info
    assert info.features["action"].units == ("degrees",) * 5 + ("range_0_100",)
    assert info.features["action"].component_names[0] == "joint_0.pos"
    assert (info.fps, info.robot_type, info.cameras) == (30, "so100", (TOP, "observation.images.wrist"))


def test_a_copy_for_another_process_reads_its_own_pictures(written: Path) -> None:
    dataset = open_dataset(written)
    expected = dataset.image(TOP, 5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset)).image(TOP, 5), expected)


def test_pictures_in_the_rows_are_read(written: Path, arrays: Arrays) -> None:
    """LeRobot's datasets without videos hold a PNG a row."""
    path = next(written.glob("data/*/*.parquet"))
    pngs = [{"bytes": cv2.imencode(".png", image[..., ::-1])[1].tobytes(), "path": None} for image in arrays[TOP]]
    table = pq.read_table(path).append_column(TOP, pa.array(pngs))
    pq.write_table(table, path, row_group_size=7)
    raw = json.loads((written / "meta" / "info.json").read_text())
    raw["features"][TOP] |= {"dtype": "image", "info": {}}
    (written / "meta" / "info.json").write_text(json.dumps(raw))
    np.testing.assert_array_equal(open_dataset(written).images(TOP, [16, 0, 8]), arrays[TOP][[16, 0, 8]])


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"info.json: expected a text file, found No such file"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("codebase_version", "v1.6", "expected v3.0 or v2.1, found v1.6"),
        ("fps", 0, "fps: expected a positive number, found 0"),
        ("fps", 29.97, "fps: expected a whole number"),
        ("features", {}, "expected a mapping of features"),
        ("features", {"action": {"dtype": "float32", "shape": [6]}}, "expected 'timestamp', which every dataset has"),
        ("features", {"action": {"dtype": "float32", "shape": "6"}}, "shape: expected a list of positive numbers"),
        ("features", {"action": {"dtype": "float31", "shape": [6]}}, "dtype: expected a type of numbers"),
        ("total_frames", 18, "index: expected 0 to 17, in order, found 17 rows"),
        ("total_episodes", 4, r"expected 4 episodes, as meta/info.json says, found 3, without \[3\]"),
    ],
)
def test_an_info_file_that_contradicts_is_refused_with_its_field(
    written: Path, field: str, value: object, message: str
) -> None:
    raw = json.loads((written / "meta" / "info.json").read_text())
    (written / "meta" / "info.json").write_text(json.dumps(raw | {field: value}))
    with pytest.raises(DatasetError, match=message):
        open_dataset(written)


@pytest.mark.parametrize("ending", ["data/**/*.parquet", "meta/tasks.parquet", "meta/episodes/**/*.parquet"])
def test_a_cut_file_is_refused_by_name(written: Path, ending: str) -> None:
    path = next(written.glob(ending))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=path.name):
        open_dataset(written)


def test_a_cut_video_is_refused_where_its_pictures_are_asked_for(written: Path) -> None:
    path = next(written.glob(f"videos/{TOP}/**/*.mp4"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    dataset = open_dataset(written)
    with pytest.raises(DatasetError, match=r"file-000.mp4"):
        dataset.image(TOP, 16)


def test_a_time_without_a_picture_is_refused_with_the_nearest(written: Path) -> None:
    path = next(written.glob(f"videos/{TOP}/**/*.mp4"))
    with pytest.raises(DatasetError, match=r"a picture at 0\.0500 s, found the nearest at 0\.0667 s"):
        VideoFrames().read(path, [0.05])
    with pytest.raises(DatasetError, match=r"a picture at 9\.0000 s"):
        VideoFrames().read(path, [9.0])


def test_a_name_that_is_not_there_is_refused_with_those_that_are(written: Path) -> None:
    dataset = open_dataset(written)
    with pytest.raises(DatasetError, match=r"one of observation.images.top, observation.images.wrist, found top"):
        dataset.image("top", 0)
    with pytest.raises(DatasetError, match=r"one of action, observation.state"):
        dataset.column("actions")


def test_a_dataset_moves_with_its_folder(written: Path, tmp_path: Path) -> None:
    shutil.move(written, tmp_path / "elsewhere")
    assert open_dataset(tmp_path / "elsewhere").image(TOP, 3).shape == FEATURES[TOP].shape
