from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.units import LeRobotUnits, ServoTicks
from so100_hardware.arm_file import ArmFileError, default_arm_file, load_arm_file
from so100_hardware.calibrated_arm_file import calibrated_embodiment, joints_outside_their_range
from so100_hardware.calibration import Calibration, CalibrationError, JointCalibration

BASE = Path(__file__).parents[3] / "config" / "so100.yaml"
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
RANGES = ((701, 3399), (821, 3203), (990, 3104), (800, 3140), (0, 4095), (1502, 2990))
CALIBRATION = Calibration(
    {name: JointCalibration(i + 1, 0, (-1) ** i * 311 * i, *RANGES[i]) for i, name in enumerate(NAMES)}
)


def calibrated(tmp_path: Path, base: Path = BASE, calibration: Calibration = CALIBRATION) -> Path:
    path = tmp_path / "my_arm.yaml"
    path.write_text(calibrated_embodiment(base, calibration))
    return path


def test_only_the_calibrated_values_of_the_file_change(tmp_path: Path) -> None:
    base, made = BASE.read_text().splitlines(), calibrated(tmp_path).read_text().splitlines()
    changed = [i for i, (a, b) in enumerate(zip(base, made, strict=True)) if a != b]
    assert [base[i].split("name: ")[1].split(",")[0] for i in changed] == list(NAMES)
    before, after = yaml.safe_load(BASE.read_text()), yaml.safe_load("\n".join(made))
    for joint in (*before["joints"], *after["joints"]):
        for key in ("zero_ticks", "range_ticks", "homing_offset"):
            joint.pop(key, None)
    assert after == before


def test_the_file_is_an_embodiment_with_the_calibration_in_it(tmp_path: Path) -> None:
    robot = load_embodiment(calibrated(tmp_path))
    assert tuple(joint.range_ticks for joint in robot.joints) == RANGES
    assert [joint.homing_offset for joint in robot.joints] == [0, -311, 622, -933, 1244, -1555]


def test_lerobots_degrees_keep_their_relation_to_radians(tmp_path: Path) -> None:
    """A checkpoint's degrees mean the same pose on the calibrated arm as on the general one."""
    general, own = load_embodiment(BASE), load_embodiment(calibrated(tmp_path))
    degrees = LeRobotUnits(general).from_radians(general.home_rad)
    assert LeRobotUnits(own).from_radians(general.home_rad)[:5] == pytest.approx(degrees[:5], abs=360 / 4096)


def test_the_closed_gripper_keeps_its_angle(tmp_path: Path) -> None:
    general, own = load_arm_file(BASE).joints[5], load_arm_file(calibrated(tmp_path)).joints[5]
    assert own.radians(1502) == pytest.approx(general.radians(1330))
    robot = load_embodiment(tmp_path / "my_arm.yaml")
    closed = ServoTicks(robot).to_radians([2047, 2000, 2000, 2000, 2000, 1502])
    assert LeRobotUnits(robot).from_radians(closed)[5] == pytest.approx(0.0)


def test_a_second_calibration_replaces_the_first(tmp_path: Path) -> None:
    once = calibrated(tmp_path)
    moved = Calibration(
        {n: JointCalibration(j.servo_id, 0, -j.homing_offset, *j.range_ticks) for n, j in CALIBRATION.joints.items()}
    )
    twice = calibrated(tmp_path, once, moved)
    assert [j.homing_offset for j in load_arm_file(twice).joints] == [0, 311, -622, 933, -1244, 1555]
    assert [j.zero_ticks for j in load_arm_file(twice).joints] == [
        j.zero_ticks for j in load_arm_file(calibrated(tmp_path)).joints
    ]


def test_a_file_in_block_style_stays_in_block_style(tmp_path: Path) -> None:
    block = tmp_path / "block.yaml"
    block.write_text(
        "# mine\n" + yaml.safe_dump(yaml.safe_load(BASE.read_text()), sort_keys=False, default_flow_style=False)
    )
    made = calibrated(tmp_path, block)
    assert made.read_text().startswith("# mine\n")
    assert "\n  homing_offset: -311\n" in made.read_text()
    assert load_arm_file(made).joints == load_arm_file(calibrated(tmp_path)).joints


def test_what_the_range_does_not_reach_is_told(tmp_path: Path) -> None:
    narrow = Calibration({**CALIBRATION.joints, "shoulder_pan": JointCalibration(1, 0, 0, 1500, 2600)})
    (found,) = (line for line in joints_outside_their_range(calibrated(tmp_path, BASE, narrow)) if "pan" in line)
    assert "limits_rad -2 to 2" in found
    assert "-0.8" in found


@pytest.mark.parametrize(
    ("joint", "words"),
    [
        (JointCalibration(9, 0, 0, 100, 200), "joint gripper: expected servo 6 as in .*so100.yaml, found 9"),
        (JointCalibration(6, 1, 0, 100, 200), "joint gripper: expected drive_mode 0, found 1"),
    ],
)
def test_a_calibration_of_other_servos_is_refused(joint: JointCalibration, words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        calibrated_embodiment(BASE, Calibration({**CALIBRATION.joints, "gripper": joint}))


def test_a_calibration_of_other_joints_is_refused() -> None:
    joints = dict(CALIBRATION.joints)
    joints["hand"] = joints.pop("gripper")
    with pytest.raises(CalibrationError, match="joint gripper: missing in the calibration"):
        calibrated_embodiment(BASE, Calibration(joints))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("sign: -1", "sign: 2"), r"joints\[shoulder_pan\].sign: expected 1 or -1, found 2"),
        (("[743, 3351]", "[743]"), r"joints\[shoulder_pan\].range_ticks: expected a list of two numbers"),
        (("[743, 3351]", "[3351, 743]"), r"joints\[shoulder_pan\].range_ticks: expected the lower first"),
        (("[743, 3351]", "[743, 5000]"), r"joints\[shoulder_pan\].range_ticks: expected 0 to 4095"),
        (("zero_ticks: 2047", "zero_ticks: x"), r"joints\[shoulder_pan\].zero_ticks: expected a number, found 'x'"),
        (("joints:", "limbs:"), "joints: expected a list"),
    ],
)
def test_a_base_that_is_no_embodiment_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(BASE.read_text().replace(*change, 1))
    with pytest.raises(ArmFileError, match=words):
        load_arm_file(path)


def test_the_installed_file_is_the_default() -> None:
    assert [joint.name for joint in load_arm_file(default_arm_file()).joints] == list(NAMES)
