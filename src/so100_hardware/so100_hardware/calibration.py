"""LeRobot's calibration of an arm: which ticks each joint's servo shows over its range; the layout since June 2025.

    calibration = load_calibration(Path("my_arm.json"))
    wrong = differences(calibration, registers)  # is it the calibration of this arm?

A servo shows present_position = encoder - homing_offset, within one turn of 4096 ticks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from so100_hardware.units import TICKS_PER_TURN, nearest_tick

LARGEST_OFFSET = 2047  # the register has a sign and eleven bits
# Field of the file -> register of the servo.
REGISTERS = {
    "homing_offset": "homing_offset",
    "range_min": "min_position_limit",
    "range_max": "max_position_limit",
}


class CalibrationError(ValueError):
    """A calibration file that cannot be used. The message names the file, the field, the expected and the found."""


@dataclass(frozen=True)
class JointCalibration:
    """One joint. drive_mode 1 turns LeRobot's percent round; its own programs always write 0 for these arms."""

    servo_id: int
    drive_mode: int
    homing_offset: int
    range_min: int
    range_max: int

    @property
    def range_ticks(self) -> tuple[int, int]:
        return self.range_min, self.range_max


@dataclass(frozen=True)
class Calibration:
    """An arm's joints by name."""

    joints: Mapping[str, JointCalibration]


@dataclass(frozen=True)
class Difference:
    """A value that the servo has otherwise than the file."""

    joint: str
    servo_id: int
    register: str
    in_file: int
    in_servo: int


def fitted_offset(offset: float) -> int:
    """The offset of the same place in the turn that the register can hold. At half a turn it is one tick off."""
    half_turn = TICKS_PER_TURN // 2
    wrapped = nearest_tick((offset + half_turn) % TICKS_PER_TURN - half_turn)
    return min(max(wrapped, -LARGEST_OFFSET), LARGEST_OFFSET)


def read_json(path: Path) -> dict[str, Any]:
    """Raises CalibrationError where there is no JSON object."""
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise CalibrationError(f"{path}: {error.strerror or error}; expected a calibration file of LeRobot") from None
    except ValueError as error:
        raise CalibrationError(f"{path}: is not JSON ({error}); expected a calibration file of LeRobot") from None
    if not isinstance(raw, dict) or not raw:
        raise CalibrationError(f"{path}: expected a JSON object with one entry a joint, found {_short(raw)}")
    return raw


def is_old_layout(raw: Mapping[str, Any]) -> bool:
    """True for the lists that LeRobot wrote before its pull request 777."""
    return "motor_names" in raw


def load_calibration(path: Path) -> Calibration:
    """Raises CalibrationError; for the old layout too, which lacks the ranges."""
    raw = read_json(path)
    if is_old_layout(raw):
        raise CalibrationError(
            f"{path}: is of LeRobot's layout before June 2025, which does not hold the ranges; make one of the present "
            f"layout with `so100 convert {path} -o NEW.json`, or calibrate anew"
        )
    joints = {name: _joint(path, name, entry) for name, entry in raw.items()}
    ids = [joint.servo_id for joint in joints.values()]
    for servo_id in ids:
        if ids.count(servo_id) > 1:
            raise CalibrationError(f"{path}: id: expected a servo for each joint, found {servo_id} twice")
    return Calibration(joints)


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes it as LeRobot does, making the folder. Raises OSError."""
    entries = {
        name: {
            "id": joint.servo_id,
            "drive_mode": joint.drive_mode,
            "homing_offset": joint.homing_offset,
            "range_min": joint.range_min,
            "range_max": joint.range_max,
        }
        for name, joint in calibration.joints.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=4) + "\n")


def differences(calibration: Calibration, registers: Mapping[int, Mapping[str, int]]) -> list[Difference]:
    """What the servos hold otherwise; `registers`: servo id -> name -> value. Missing servos are left out."""
    return [
        Difference(name, joint.servo_id, register, getattr(joint, field), registers[joint.servo_id][register])
        for name, joint in calibration.joints.items()
        if joint.servo_id in registers
        for field, register in REGISTERS.items()
        if registers[joint.servo_id][register] != getattr(joint, field)
    ]


def _joint(path: Path, name: str, entry: Any) -> JointCalibration:
    if not isinstance(entry, dict):
        raise CalibrationError(f"{path}: {name}: expected id, drive_mode, homing_offset, range_min, range_max, "
                               f"found {_short(entry)}")  # fmt: skip
    limits = {
        "id": (0, 253),
        "drive_mode": (0, 1),
        "homing_offset": (-LARGEST_OFFSET, LARGEST_OFFSET),
        "range_min": (0, TICKS_PER_TURN - 1),
        "range_max": (0, TICKS_PER_TURN - 1),
    }
    values = []
    for field, (lowest, highest) in limits.items():
        value = entry.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            found = "nothing" if value is None else _short(value)
            raise CalibrationError(
                f"{path}: {name}.{field}: expected a whole number from {lowest} to {highest}, found {found}"
            )
        values.append(value)
    joint = JointCalibration(*values)
    if joint.range_min >= joint.range_max:
        raise CalibrationError(
            f"{path}: {name}: expected range_min below range_max, found {joint.range_min} and {joint.range_max}"
        )
    return joint


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
