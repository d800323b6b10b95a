"""LeRobot's old calibration layout. The files are of the shape that its manual calibration wrote for SO-100 arms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from so100_hardware.calibration import Calibration, CalibrationError, JointCalibration
from so100_hardware.old_calibration import (
    OldCalibration,
    load_old_calibration,
    new_from_old,
    old_from_new,
    save_old_calibration,
)

from so100_hardware import units

NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
IDS = {name: i + 1 for i, name in enumerate(NAMES)}
RANGES = dict(zip(NAMES, [(743, 3351), (874, 3156), (1023, 3071), (789, 3201), (0, 4095), (1330, 2764)], strict=True))
FILE = {
    "homing_offset": [-2056, 3104, -1209, -2121, 2149, -2115],
    "drive_mode": [0, 1, 0, 0, 1, 0],
    "start_pos": [2056, 3104, 1209, 2121, 2149, 1920],
    "end_pos": [3080, -2080, 2233, 3145, -1125, 3139],
    "calib_mode": ["DEGREE"] * 5 + ["LINEAR"],
    "motor_names": list(NAMES),
}


@pytest.fixture
def old(tmp_path: Path) -> OldCalibration:
    return load_old_calibration(written(tmp_path, FILE))


def written(folder: Path, raw: object) -> Path:
    path = folder / "main_follower.json"
    path.write_text(json.dumps(raw))
    return path


def test_a_file_is_read_and_written_as_it_was(tmp_path: Path, old: OldCalibration) -> None:
    path = tmp_path / "again.json"
    save_old_calibration(old, path)
    assert json.loads(path.read_text()) == FILE


@pytest.mark.parametrize("joint", [n for n in NAMES if n != "gripper"])
@pytest.mark.parametrize("servo_offset", [0, 300, -1000])
def test_converted_degrees_are_the_old_ones_moved_to_the_new_zero(
    old: OldCalibration, joint: str, servo_offset: int
) -> None:
    """At the same place of the encoder both calibrations tell the same pose."""
    new = new_from_old(old, IDS, RANGES, {joint: servo_offset}).joints[joint]
    before = old.joints[joint]
    for degrees in (-30.0, 0.0, 45.0):
        shown_then = units.ticks_from_old_degrees(degrees, before.homing_offset, bool(before.drive_mode))
        shown_now = shown_then + servo_offset - new.homing_offset
        found = units.degrees_from_ticks(shown_now, new.range_ticks)
        found = (found + 180) % 360 - 180
        expected = units.new_degrees_from_old(joint, degrees)
        # the roll's old degrees ran against the ticks; its zero is the same
        assert found == pytest.approx(-expected if joint == "wrist_roll" else expected, abs=0.15)


def test_the_converted_gripper_opens_from_0_to_100_over_the_same_ticks(old: OldCalibration) -> None:
    new = new_from_old(old, IDS, RANGES, {}).joints["gripper"]
    assert new.range_max - new.range_min == 3139 - 1920
    for shown_then, percent in ((1920, 0), (3139, 100), (2530, 50)):
        shown_now = shown_then - new.homing_offset
        assert units.range_0_100_from_ticks(shown_now, new.range_ticks) == pytest.approx(percent, abs=0.1)


@pytest.mark.parametrize("servo_offset", [0, 300, -1000])
@pytest.mark.parametrize("pose", range(-60, 61, 30))
def test_a_new_calibration_says_the_same_poses_in_the_old_layout(servo_offset: int, pose: float) -> None:
    new = Calibration({name: JointCalibration(IDS[name], 0, servo_offset, *RANGES[name]) for name in NAMES})
    old = old_from_new(new)
    for name in NAMES[:5]:
        shown = units.ticks_from_degrees(pose, RANGES[name])
        joint = old.joints[name]
        found = units.old_degrees_from_ticks(shown, joint.homing_offset, bool(joint.drive_mode))
        assert found == pytest.approx(units.old_degrees_from_new(name, pose), abs=0.15)
    assert (old.joints["gripper"].start_pos, old.joints["gripper"].end_pos) == RANGES["gripper"]
    assert old.joints["gripper"].linear


@given(st.lists(st.integers(-2047, 2047), min_size=6, max_size=6))
def test_there_and_back_keeps_every_place_of_the_encoder(offsets: list[int]) -> None:
    new = Calibration(
        {
            name: JointCalibration(IDS[name], 0, offset, *RANGES[name])
            for name, offset in zip(NAMES, offsets, strict=True)
        }
    )
    back = new_from_old(old_from_new(new), IDS, RANGES, dict(zip(NAMES, offsets, strict=True)))
    for name in NAMES:
        ours, theirs = new.joints[name], back.joints[name]
        middle = units.middle(ours.range_ticks) + ours.homing_offset
        again = units.middle(theirs.range_ticks) + theirs.homing_offset
        assert abs((again - middle + 2048) % 4096 - 2048) <= 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("drive_mode", [0, 1], "lists of one length, found homing_offset 6, drive_mode 2"),
        ("motor_names", None, "motor_names: expected a list, found null"),
        ("calib_mode", ["TURN"] * 6, 'calib_mode of shoulder_pan: expected DEGREE or LINEAR, found "TURN"'),
        ("homing_offset", ["x"] * 6, 'homing_offset of shoulder_pan: expected a number, found "x"'),
        ("end_pos", [1, 1, 1, 1, 1, 1920], "gripper: expected start_pos and end_pos apart, found 1920 twice"),
    ],
)
def test_a_wrong_list_is_named_with_expected_and_found(tmp_path: Path, field: str, value: object, words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        load_old_calibration(written(tmp_path, {**FILE, field: value}))


def test_the_layout_of_spring_2025_is_told_apart(tmp_path: Path) -> None:
    """LeRobot's own repository ended with such a file: its offsets are about no pose that the file names."""
    raw = {
        **FILE,
        "homing_offset": [-1985, 1915, 1984, 2008, 1765, 0],
        "drive_mode": [0] * 6,
        "start_pos": [0, 0, 0, 0, 0, 1007],
        "end_pos": [0, 0, 0, 0, 0, 2448],
    }
    with pytest.raises(CalibrationError, match=r"spring 2025.*so100 calibrate"):
        load_old_calibration(written(tmp_path, raw))
