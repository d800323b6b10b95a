"""`so100 embodiment` and `so100 convert`: files to files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from smolvla_ros.embodiment import load_embodiment
from so100_hardware.calibration import Calibration, JointCalibration, load_calibration, save_calibration

NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
OLD = {
    "homing_offset": [-2056, 3104, -1209, -2121, 2149, -2115],
    "drive_mode": [0, 1, 0, 0, 1, 0],
    "start_pos": [2056, 3104, 1209, 2121, 2149, 1920],
    "end_pos": [3080, -2080, 2233, 3145, -1125, 3139],
    "calib_mode": ["DEGREE"] * 5 + ["LINEAR"],
    "motor_names": list(NAMES),
}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "my_arm.json"
    joints = {name: JointCalibration(i + 1, 0, 10 * i, 800 + i, 3200 - i) for i, name in enumerate(NAMES)}
    save_calibration(Calibration(joints), path)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "main_follower.json"
    path.write_text(json.dumps(OLD))
    return path


def test_embodiment_writes_the_arms_own_file_and_says_how_to_use_it(so100, new: Path, tmp_path: Path) -> None:
    made = tmp_path / "robots" / "my_arm.yaml"
    code, said = so100("embodiment", "--calibration", new, "-o", made)
    assert code == 0
    assert f"embodiment:={made}" in said
    assert load_embodiment(made).joints[1].range_ticks == (801, 3199)


def test_embodiment_tells_what_the_calibrated_range_does_not_reach(so100, new: Path, tmp_path: Path) -> None:
    code, said = so100("embodiment", "--calibration", new, "-o", tmp_path / "my_arm.yaml")
    assert code == 0
    assert "wrist_roll: limits_rad -3.13 to 3.13, the calibrated range reaches" in said


def test_a_file_that_is_there_is_replaced_only_when_asked(so100, new: Path, tmp_path: Path) -> None:
    made = tmp_path / "my_arm.yaml"
    made.write_text("mine")
    code, said = so100("embodiment", "--calibration", new, "-o", made)
    assert (code, made.read_text()) == (2, "mine")
    assert "is there already" in said
    assert so100("embodiment", "--calibration", new, "-o", made, "--force")[0] == 0
    assert load_embodiment(made)


def test_a_folder_that_cannot_be_made_is_told(so100, new: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = so100("embodiment", "--calibration", new, "-o", tmp_path / "file" / "arm.yaml")
    assert code == 2
    assert "cannot be written (File exists)" in said


def test_a_missing_calibration_is_one_line_and_code_2(so100, tmp_path: Path) -> None:
    code, said = so100("embodiment", "--calibration", tmp_path / "none.json", "-o", tmp_path / "my_arm.yaml")
    assert code == 2
    assert said.strip().count("\n") == 0
    assert "none.json: No such file" in said


def test_convert_makes_the_new_layout_with_the_usual_ranges(so100, old: Path, tmp_path: Path) -> None:
    code, said = so100("convert", old, "-o", tmp_path / "new.json", "--servo-offset", "elbow_flex=100")
    assert code == 0
    assert "so100 calibrate" in said
    made = load_calibration(tmp_path / "new.json")
    assert made.joints["shoulder_pan"] == JointCalibration(1, 0, 2056 - 2047, 743, 3351)
    assert made.joints["elbow_flex"].homing_offset == 1209 + 1024 + 100 - 2047


def test_convert_makes_the_old_layout(so100, new: Path, tmp_path: Path) -> None:
    code, said = so100("convert", new, "-o", tmp_path / "old.json")
    assert code == 0
    assert "stretched out level" in said
    assert json.loads((tmp_path / "old.json").read_text())["motor_names"] == list(NAMES)


@pytest.mark.parametrize("words", ["thumb=3", "elbow_flex=x", "elbow_flex"])
def test_convert_names_an_offset_that_is_none(so100, old: Path, tmp_path: Path, words: str) -> None:
    code, said = so100("convert", old, "-o", tmp_path / "new.json", "--servo-offset", words)
    assert code == 2
    assert f"expected JOINT=TICKS with one of shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll, gripper, found {words}" in said  # fmt: skip # noqa: E501


def test_convert_names_a_joint_that_the_arm_has_not(so100, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({**OLD, "motor_names": [*NAMES[:5], "hand"]}))
    code, said = so100("convert", path, "-o", tmp_path / "new.json")
    assert code == 2
    assert "expected joints of" in said
    assert "found hand" in said
