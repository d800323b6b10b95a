"""LeRobot's calibration files of before its pull request 777 (June 2025): lists, zero at the stretched arm.

    {"homing_offset": [...], "drive_mode": [...], "start_pos": [...], "end_pos": [...],
     "calib_mode": ["DEGREE", ..., "LINEAR"], "motor_names": [...]}

DEGREE: degrees = ((drive_mode ? -ticks : ticks) + homing_offset) * 360 / 4096; start_pos and end_pos are the ticks at
0 and 90 degrees, the latter with the drive mode's sign. LINEAR: 0 at start_pos, 100 at end_pos. Ticks are those that
the servo showed then, with the homing offset that its own register had, which the file does not tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from so100_hardware.calibration import Calibration, CalibrationError, JointCalibration, fitted_offset, read_json
from so100_hardware.units import (
    middle,
    nearest_tick,
    old_degrees_from_new,
    ticks_from_old_degrees,
)

FIELDS = ("homing_offset", "drive_mode", "start_pos", "end_pos", "calib_mode", "motor_names")
MODES = ("DEGREE", "LINEAR")
HALF_TURN = 2047  # where LeRobot puts the middle of a range


@dataclass(frozen=True)
class OldJointCalibration:
    """One joint: a column of the file's lists."""

    homing_offset: int
    drive_mode: int
    start_pos: int
    end_pos: int
    linear: bool


@dataclass(frozen=True)
class OldCalibration:
    """An arm's joints by name."""

    joints: Mapping[str, OldJointCalibration]


def load_old_calibration(path: Path) -> OldCalibration:
    """Raises CalibrationError; for the files of spring 2025 too, whose offsets had another meaning."""
    raw = read_json(path)
    lists = [_list(path, raw, field) for field in FIELDS]
    lengths = {len(values) for values in lists}
    if len(lengths) != 1:
        sizes = ", ".join(f"{field} {len(values)}" for field, values in zip(FIELDS, lists, strict=True))
        raise CalibrationError(f"{path}: expected lists of one length, found {sizes}")
    joints = {}
    for offset, drive_mode, start, end, mode, name in zip(*lists, strict=True):
        for field, value in (("homing_offset", offset), ("start_pos", start), ("end_pos", end)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise CalibrationError(f"{path}: {field} of {name}: expected a number, found {json.dumps(value)}")
        if mode not in MODES:
            raise CalibrationError(f"{path}: calib_mode of {name}: expected DEGREE or LINEAR, found {json.dumps(mode)}")
        # -1 in files of LeRobot's automatic calibration
        inverted = int(bool(drive_mode))
        joints[str(name)] = OldJointCalibration(round(offset), inverted, round(start), round(end), mode == "LINEAR")
    turning = [joint for joint in joints.values() if not joint.linear]
    if turning and all(joint.start_pos == joint.end_pos == 0 for joint in turning):
        raise CalibrationError(
            f"{path}: is of a layout that LeRobot had for some weeks in spring 2025 (start_pos and end_pos are 0): its "
            "offsets are those of the servos' registers, about no known pose. Calibrate anew with `so100 calibrate`"
        )
    for name, joint in joints.items():
        if joint.linear and joint.start_pos == joint.end_pos:
            raise CalibrationError(
                f"{path}: {name}: expected start_pos and end_pos apart, found {joint.start_pos} twice"
            )
    return OldCalibration(joints)


def save_old_calibration(calibration: OldCalibration, path: Path) -> None:
    """Writes it as LeRobot did, making the folder. Raises OSError."""
    joints = calibration.joints.values()
    raw = {
        "homing_offset": [joint.homing_offset for joint in joints],
        "drive_mode": [joint.drive_mode for joint in joints],
        "start_pos": [joint.start_pos for joint in joints],
        "end_pos": [joint.end_pos for joint in joints],
        "calib_mode": [MODES[joint.linear] for joint in joints],
        "motor_names": list(calibration.joints),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw) + "\n")


def new_from_old(
    old: OldCalibration,
    servo_ids: Mapping[str, int],
    usual_ranges: Mapping[str, tuple[int, int]],
    servo_offsets: Mapping[str, int],
) -> Calibration:
    """The present layout. The zero is exact; the ranges are the usual ones about it, for the file lacks them.

    `usual_ranges` in ticks, `servo_offsets` is what the homing_offset registers held when the old file was made.
    Raises KeyError for a joint that servo_ids or usual_ranges lack.
    """
    joints = {}
    for name, joint in old.joints.items():
        shown_offset = servo_offsets.get(name, 0)
        if joint.linear:
            low, high = sorted((joint.start_pos, joint.end_pos))
            offset = fitted_offset(middle((low, high)) + shown_offset - HALF_TURN)
            half = (high - low) // 2
            ends = (HALF_TURN - half, HALF_TURN - half + high - low)
            drive_mode = int(joint.end_pos < joint.start_pos)
        else:
            centre = ticks_from_old_degrees(
                old_degrees_from_new(name, 0.0), joint.homing_offset, bool(joint.drive_mode)
            )
            ends = usual_ranges[name]
            offset = fitted_offset(centre + shown_offset - middle(ends))
            drive_mode = 0  # LeRobot's degrees now grow with the ticks on every joint
        joints[name] = JointCalibration(servo_ids[name], drive_mode, offset, *ends)
    return Calibration(joints)


def old_from_new(calibration: Calibration) -> OldCalibration:
    """The old layout, for ticks that the servos show with the homing offsets of `calibration`. Exact to one tick."""
    joints = {}
    for name, joint in calibration.joints.items():
        centre = nearest_tick(middle(joint.range_ticks))
        if name == "gripper":
            start, end = joint.range_ticks if not joint.drive_mode else joint.range_ticks[::-1]
            joints[name] = OldJointCalibration(-start, 0, start, end, linear=True)
            continue
        at_middle = old_degrees_from_new(name, 0.0)
        inverted = old_degrees_from_new(name, 1.0) < at_middle
        offset = nearest_tick(at_middle * 4096 / 360) - (-centre if inverted else centre)
        start = nearest_tick(ticks_from_old_degrees(0.0, offset, inverted))
        end = nearest_tick(ticks_from_old_degrees(90.0, offset, inverted))
        joints[name] = OldJointCalibration(offset, int(inverted), start, -end if inverted else end, linear=False)
    return OldCalibration(joints)


def _list(path: Path, raw: Mapping[str, Any], field: str) -> list[Any]:
    values = raw.get(field)
    if not isinstance(values, list):
        raise CalibrationError(f"{path}: {field}: expected a list, found {json.dumps(values)[:40]}")
    return values
