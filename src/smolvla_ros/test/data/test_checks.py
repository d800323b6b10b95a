from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.checks import (
    frame_findings,
    frozen_spans,
    jumps,
    picture_change,
    possible_units,
    speed_units,
    statistics_messages,
    unit_messages,
)
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import FPS, Arrays, made_arrays, write_here
from smolvla_ros.data.dataset_check import check
from smolvla_ros.data.feature_statistics import vector_statistics
from smolvla_ros.data.json_file import read_json, write_json

UNITS = ["degrees"] * 5 + ["range_0_100"]


def smooth_arrays(frames: int = 60) -> Arrays:
    """As an arm moves: tens of degrees in seconds, pictures that change with it."""
    arrays, t = made_arrays(seed=3, lengths=(frames,)), np.arange(frames) / FPS
    moved = np.stack([30 + 20 * np.sin(t + joint) for joint in range(6)], axis=1).astype(np.float32)
    return arrays | {"action": moved, "observation.state": moved}


def checked(root: Path) -> list[str]:
    """Without the remedy, which each has."""
    findings = list(check(open_dataset(root)))
    assert all(str(finding).endswith(finding.remedy) for finding in findings)
    return [f"{finding.kind} {finding}".removesuffix(f"; {finding.remedy}") for finding in findings]


def test_a_good_dataset_has_no_findings(tmp_path: Path) -> None:
    write_here(tmp_path / "d", smooth_arrays(), "av1")
    assert checked(tmp_path / "d") == []


def test_a_camera_that_stood_still_while_the_arm_moved_is_found(tmp_path: Path) -> None:
    arrays, top = smooth_arrays(), "observation.images.top"
    arrays[top][10:40] = arrays[top][10]
    write_here(tmp_path / "d", arrays, "av1")
    found = checked(tmp_path / "d")
    assert found == [
        "frozen episode 0: observation.images.top: expected pictures that change with the arm, found one that stands "
        "from frame 10 to 39"
    ]


def test_a_still_camera_before_an_arm_at_rest_is_none() -> None:
    still = np.full((60, 30, 40, 3), 90, np.uint8)
    flickers = still + np.random.default_rng(0).integers(0, 10, still.shape, dtype=np.uint8)
    moves = still + (np.arange(60, dtype=np.uint8) // 14 * 20)[:, None, None, None]
    for pictures in (still, flickers):
        assert frozen_spans(pictures, np.zeros(59), FPS, min_s=0.5) == []
        assert frozen_spans(pictures, np.full(59, 0.01), FPS, min_s=0.5) == [(0, 59)]
    assert frozen_spans(moves, np.full(59, 0.01), FPS, min_s=0.5) == []


def test_a_small_thing_that_moves_is_a_change_and_noise_of_coding_is_none() -> None:
    before = np.full((120, 160, 3), 90, np.uint8)
    after = before.copy()
    after[60:70, 80:92] = 200
    assert picture_change(before, after) > 100
    noise = np.random.default_rng(0).integers(-2, 3, before.shape)
    assert picture_change(before, (before + noise).astype(np.uint8)) < 5


def test_a_joint_that_jumps_is_found_with_its_name_and_frame(tmp_path: Path) -> None:
    arrays = smooth_arrays()
    arrays["observation.state"] = arrays["observation.state"].copy()
    arrays["observation.state"][20:, 1] += 45
    write_here(tmp_path / "d", arrays, "h264")
    assert any(
        finding.startswith("jump episode 0: observation.state: joint_1.pos moves at 13")
        and finding.endswith("degrees a second to frame 20")
        for finding in checked(tmp_path / "d")
    )
    assert jumps(np.array([[0.0], [0.4]]), ["radians"], fps=30) == [(1, 0, pytest.approx(12.0))]
    assert jumps(np.array([[0.0], [0.3]]), ["radians"], fps=30) == []


@pytest.mark.parametrize(
    ("low", "high", "units"),
    [
        (-1.5, 3.0, {"radians"}),
        (-90.0, 60.0, {"degrees", "range_m100_100"}),
        (-120.0, 60.0, {"degrees"}),
        (0.0, 4095.0, set()),
    ],
)
def test_ranges_tell_which_units_are_possible(low: float, high: float, units: set[str]) -> None:
    assert possible_units(np.full(5, low), np.full(5, high)) == units


def test_units_that_values_contradict_and_units_not_named_are_found() -> None:
    degrees = np.linspace([-60.0] * 5 + [0], [80.0] * 5 + [90], 50)
    assert unit_messages(degrees, UNITS) == []
    radians = degrees * np.pi / 180
    assert "expected degrees, found values of -1.05 to 1.4, which suit radians" in unit_messages(radians, UNITS)[0]
    assert "found none named; values of -60 to 80 suit degrees or range_m100_100" in unit_messages(degrees, None)[0]
    turned = degrees.copy()
    turned[:, 5] = np.linspace(0, 130, 50)
    assert unit_messages(turned, UNITS) == ["component 5: expected 0 to 100, found 0 to 130"]


def test_jumps_are_found_where_no_units_are_named_by_what_the_values_can_be_in() -> None:
    degrees = np.linspace([-60.0] * 5 + [0], [80.0] * 5 + [90], 50)
    assert speed_units(degrees, UNITS) == UNITS
    assert speed_units(degrees, None) == UNITS
    assert speed_units(degrees * np.pi / 180, None) == ["radians"] * 6


def test_rows_that_miss_a_frame_are_found() -> None:
    good = {"frame_index": np.arange(10), "timestamp": np.arange(10) / 30}
    assert frame_findings(good, 30, 1e-4) == []
    missing = {name: np.delete(values, 4) for name, values in good.items()}
    assert [feature for feature, _ in frame_findings(missing, 30, 1e-4)] == ["frame_index", "timestamp"]
    assert frame_findings(missing, 30, 1e-4)[0][1] == "expected 4 in row 4, found 5"


def test_a_video_without_all_its_pictures_is_found(tmp_path: Path) -> None:
    write_here(tmp_path / "short", smooth_arrays(50), "h264")
    write_here(tmp_path / "d", smooth_arrays(60), "h264")
    name = "videos/observation.images.wrist/chunk-000/file-000.mp4"
    (tmp_path / "d" / name).write_bytes((tmp_path / "short" / name).read_bytes())
    assert "frames episode 0: observation.images.wrist: expected 60 pictures, found 50" in checked(tmp_path / "d")
    (tmp_path / "d" / name).write_bytes(b"no video")
    assert any("file-000.mp4: expected a video" in finding for finding in checked(tmp_path / "d"))


def test_statistics_that_do_not_fit_are_found_in_episodes_and_in_the_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    stored = vector_statistics(values)
    assert statistics_messages(stored, values) == []
    assert statistics_messages(stored | {"std": stored["std"] * 1.1}, values)[0].startswith("expected std")
    assert statistics_messages(stored | {"count": np.array([49])}, values) == ["expected count 50 at 0, found 49"]
    write_here(tmp_path / "d", smooth_arrays(), "h264")
    path = tmp_path / "d" / "meta" / "stats.json"
    raw = read_json(path, "")
    raw["action"]["mean"][0] += 5
    del raw["observation.state"]["max"]
    write_json(path, raw)
    found = checked(tmp_path / "d")
    assert any(f.startswith("statistics action: expected mean") for f in found)
    assert "statistics observation.state: expected max in meta/stats.json, found None" in found
