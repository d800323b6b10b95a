"""One arm's own embodiment file: the general one with that arm's calibration in it, comments and order kept.

range_ticks and homing_offset are the calibration's. zero_ticks moves with the middle of the range, so that LeRobot's
degrees about the middle and the description's radians stay in the same relation on every arm; where LeRobot's unit is
0 to 100 (the gripper) it moves with range_min, the closed end, which is the pose that all grippers share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from so100_hardware.arm_file import ArmFile, ArmJoint, load_arm_file
from so100_hardware.calibration import Calibration, CalibrationError, JointCalibration
from so100_hardware.units import middle, nearest_tick


@dataclass(frozen=True)
class _Edit:
    """text[start:end] becomes `new`."""

    start: int
    end: int
    new: str


def calibrated_zero(joint: ArmJoint, calibrated: JointCalibration) -> int:
    """The tick at the description's zero on the calibrated arm."""
    if joint.lerobot_unit == "range_0_100":
        return joint.zero_ticks + calibrated.range_min - joint.range_ticks[0]
    return nearest_tick(joint.zero_ticks + middle(calibrated.range_ticks) - middle(joint.range_ticks))


def calibrated_arm(arm: ArmFile, calibration: Calibration) -> ArmFile:
    """The arm with the calibration in it. Raises CalibrationError where the two are not of the same joints, servos."""
    _check(arm, calibration)
    joints = (
        replace(
            joint,
            zero_ticks=calibrated_zero(joint, calibration.joints[joint.name]),
            range_ticks=calibration.joints[joint.name].range_ticks,
            homing_offset=calibration.joints[joint.name].homing_offset,
        )
        for joint in arm.joints
    )
    return replace(arm, joints=tuple(joints))


def calibrated_embodiment(base: Path, calibration: Calibration) -> str:
    """The text of `base` with the calibration in it.

    Raises ArmFileError for a base that is none, CalibrationError where the two are not of the same joints and servos.
    """
    arm = calibrated_arm(load_arm_file(base), calibration)
    text = base.read_text()
    edits: list[_Edit] = []
    for joint in arm.joints:
        edits += _joint_edits(text, _fields(text, joint.name), joint)
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _check(arm: ArmFile, calibration: Calibration) -> None:
    names = {joint.name for joint in arm.joints}
    for name in sorted(set(calibration.joints) ^ names):
        where = "the calibration" if name in names else str(arm.path)
        raise CalibrationError(f"joint {name}: missing in {where}; both must have the same joints")
    for joint in arm.joints:
        calibrated = calibration.joints[joint.name]
        if calibrated.servo_id != joint.servo_id:
            raise CalibrationError(
                f"joint {joint.name}: expected servo {joint.servo_id} as in {arm.path}, found {calibrated.servo_id}"
            )
        if calibrated.drive_mode and joint.lerobot_unit != "degrees":
            raise CalibrationError(
                f"joint {joint.name}: expected drive_mode 0, found 1: its {joint.lerobot_unit} would run backwards, "
                "which an embodiment file cannot say. Calibrate anew with `so100 calibrate`"
            )


def joints_outside_their_range(path: Path) -> list[str]:
    """Sentences on angles of the file that the calibrated range does not reach. Raises ArmFileError."""
    found = []
    for joint in load_arm_file(path).joints:
        reach = sorted(joint.radians(ticks) for ticks in joint.range_ticks)
        low, high = joint.limits_rad
        if low < reach[0] - 0.02 or high > reach[1] + 0.02:
            found.append(
                f"{joint.name}: limits_rad {low:g} to {high:g}, the calibrated range reaches {reach[0]:.3f} to "
                f"{reach[1]:.3f} rad: goals beyond that are clamped"
            )
    return found


def _joint_edits(text: str, fields: Mapping[str, yaml.Node], joint: ArmJoint) -> list[_Edit]:
    zero = fields["zero_ticks"]
    low, high = fields["range_ticks"].value
    edits = [
        _replace(zero, joint.zero_ticks),
        _replace(low, joint.range_ticks[0]),
        _replace(high, joint.range_ticks[1]),
    ]
    if "homing_offset" in fields:
        return [*edits, _replace(fields["homing_offset"], joint.homing_offset)]
    # A field of its own behind zero_ticks: after a comma, or on a line with the same indent.
    line = text[text.rfind("\n", 0, zero.start_mark.index) + 1 : zero.start_mark.index]
    between = "\n" + line[: len(line) - len(line.lstrip())] if line.strip() == "zero_ticks:" else ", "
    added = _Edit(zero.end_mark.index, zero.end_mark.index, f"{between}homing_offset: {joint.homing_offset}")
    return [*edits, added]


def _replace(node: yaml.Node, value: int | None) -> _Edit:
    return _Edit(node.start_mark.index, node.end_mark.index, str(value))


def _fields(text: str, name: str) -> dict[str, yaml.Node]:
    """The joint's fields with their places in the text; load_arm_file has checked them."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    joints = next(value for key, value in root.value if key.value == "joints")
    for node in joints.value:
        fields = {key.value: value for key, value in node.value}
        if fields["name"].value == name:
            return fields
    raise AssertionError(f"{name}: among the joints that were loaded")
