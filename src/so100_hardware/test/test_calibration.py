from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from so100_hardware.calibration import (
    Calibration,
    CalibrationError,
    JointCalibration,
    differences,
    fitted_offset,
    load_calibration,
    save_calibration,
)
from so100_hardware.lerobot_folder import calibration_file, calibration_files, calibration_folder

NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
LEROBOTS_TEXT = """{
    "shoulder_pan": {
        "id": 1,
        "drive_mode": 0,
        "homing_offset": -1523,
        "range_min": 743,
        "range_max": 3351
    },
    "gripper": {
        "id": 6,
        "drive_mode": 0,
        "homing_offset": 1021,
        "range_min": 1330,
        "range_max": 2764
    }
}"""

joints = st.builds(
    lambda drive, offset, ends: (drive, offset, *sorted(ends)),
    st.integers(0, 1),
    st.integers(-2047, 2047),
    st.lists(st.integers(0, 4095), min_size=2, max_size=2, unique=True),
)


def calibration(**changes: JointCalibration) -> Calibration:
    usual = {name: JointCalibration(i + 1, 0, 100 * i, 900 + i, 3100 - i) for i, name in enumerate(NAMES)}
    return Calibration({**usual, **changes})


def test_a_file_of_lerobot_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my_arm.json"
    path.write_text(LEROBOTS_TEXT)
    found = load_calibration(path)
    assert found.joints["shoulder_pan"] == JointCalibration(1, 0, -1523, 743, 3351)
    assert list(found.joints) == ["shoulder_pan", "gripper"]


def test_a_file_is_written_as_lerobot_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "robots" / "so_follower" / "my_arm.json"
    joints = {
        "shoulder_pan": JointCalibration(1, 0, -1523, 743, 3351),
        "gripper": JointCalibration(6, 0, 1021, 1330, 2764),
    }
    save_calibration(Calibration(joints), path)
    assert path.read_text().rstrip() == LEROBOTS_TEXT


@given(st.lists(joints, min_size=1, max_size=6))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]]) -> None:
    path = tmp_path_factory.mktemp("calibration") / "arm.json"
    written = Calibration({NAMES[i]: JointCalibration(i, *row) for i, row in enumerate(rows)})
    save_calibration(written, path)
    assert load_calibration(path) == written


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"range_max": 700}, "range_min below range_max, found 743 and 700"),
        ({"homing_offset": 2048}, "shoulder_pan.homing_offset: expected a whole number from -2047 to 2047, found 2048"),
        ({"id": None}, "shoulder_pan.id: expected a whole number from 0 to 253, found nothing"),
        ({"range_min": 1.5}, "shoulder_pan.range_min: expected a whole number from 0 to 4095, found 1.5"),
        ({"id": 6}, "found 6 twice"),
    ],
)
def test_a_wrong_field_is_named_with_expected_and_found(tmp_path: Path, change: dict, words: str) -> None:
    raw = json.loads(LEROBOTS_TEXT)
    raw["shoulder_pan"].update(change)
    path = tmp_path / "arm.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(CalibrationError, match=words):
        load_calibration(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": 1}', "not json"])
def test_what_is_no_calibration_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "arm.json"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=r"arm\.json"):
        load_calibration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"nowhere.json: No such file"):
        load_calibration(tmp_path / "nowhere.json")


def test_the_old_layout_is_told_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "main_follower.json"
    path.write_text('{"motor_names": ["gripper"]}')
    with pytest.raises(CalibrationError, match=r"before June 2025.*so100 convert"):
        load_calibration(path)


def test_an_arm_s_own_file_differs_in_nothing_and_another_s_in_its_joints() -> None:
    mine = calibration()
    registers = {
        joint.servo_id: {
            "homing_offset": joint.homing_offset,
            "min_position_limit": joint.range_min,
            "max_position_limit": joint.range_max,
        }
        for joint in mine.joints.values()
    }
    assert differences(mine, registers) == []
    another = calibration(elbow_flex=JointCalibration(3, 0, -77, 902, 3098))
    (found,) = differences(another, registers)
    assert (found.joint, found.register, found.in_file, found.in_servo) == ("elbow_flex", "homing_offset", -77, 200)
    del registers[3]
    assert differences(another, registers) == []


@given(st.integers(-20000, 20000))
def test_a_fitted_offset_is_the_same_place_in_the_turn_and_fits_the_register(offset: int) -> None:
    fitted = fitted_offset(offset)
    assert -2047 <= fitted <= 2047
    away = (fitted - offset) % 4096
    assert away == 0 or ((offset % 4096) == 2048 and away in (1, 4095))


def test_lerobot_s_folders_follow_its_environment_variables(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert calibration_folder({"HF_LEROBOT_CALIBRATION": home, "HF_LEROBOT_HOME": "/x"}) == tmp_path
    assert calibration_folder({"HF_LEROBOT_HOME": home}) == tmp_path / "calibration"
    assert calibration_folder({"HF_HOME": home}) == tmp_path / "lerobot/calibration"
    assert calibration_folder({"XDG_CACHE_HOME": home}) == tmp_path / "huggingface/lerobot/calibration"
    assert calibration_folder({}) == Path.home() / ".cache/huggingface/lerobot/calibration"
    arm = calibration_file("my_arm", "so_follower", {"HF_LEROBOT_CALIBRATION": home})
    assert arm == tmp_path / "robots/so_follower/my_arm.json"
    leader = calibration_file("my_arm", "so100_leader", {"HF_LEROBOT_CALIBRATION": home})
    assert leader == tmp_path / "teleoperators/so100_leader/my_arm.json"
    for file in (arm, leader):
        save_calibration(calibration(), file)
    assert calibration_files({"HF_LEROBOT_CALIBRATION": home}) == [arm, leader]
