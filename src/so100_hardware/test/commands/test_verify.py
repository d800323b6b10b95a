"""`so100 verify` on a virtual arm that is put into the poses by hand, with its calibration wrong in every way."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.simulation.arm import Arm
from smolvla_ros.simulation.so100 import SO100
from smolvla_ros.simulation.so101 import SO101
from so100_hardware.arm_file import ArmFile, load_arm_file
from so100_hardware.calibration import Calibration, JointCalibration, save_calibration
from so100_hardware.workshop.pose_check import POSES, Fault, judge

from so100_hardware import VirtualBus

Run = Callable[..., tuple[int, str]]
BASE = Path(__file__).parents[4] / "config" / "so100.yaml"
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


@pytest.fixture(scope="module")
def arm() -> ArmFile:
    return load_arm_file(BASE)


def shown(arm: ArmFile, pose: int, **off_rad: float) -> list[float]:
    """Encoder counts of the arm in a pose, each joint put with an error."""
    return [j.ticks(POSES[pose].angle_rad(arm.robot_type, j) + off_rad.get(j.name, 0.0)) for j in arm.joints]


@pytest.fixture
def verify(so100: Run, virtual: VirtualBus, hand_moved, make_console) -> Callable[..., tuple[int, str]]:
    """Puts the arm to these counts, pose by pose, and runs the command."""

    def run(first: list[float], second: list[float], *words: object) -> tuple[int, str]:
        hand = hand_moved()
        console = make_console([lambda: hand.move(first), lambda: hand.move(second)])
        return so100("verify", "--port", virtual.port, "--arm", BASE, *words, console=console)

    return run


def verdict_of(said: str, joint: str) -> str:
    (line,) = (line for line in said.split("\n") if line.strip().startswith(joint))
    return line.rsplit("  ", 1)[1]


def test_a_right_arm_is_right_however_the_poses_were_put(verify, arm: ArmFile) -> None:
    code, said = verify(
        shown(arm, 0, shoulder_lift=0.15, elbow_flex=-0.2), shown(arm, 1, shoulder_lift=-0.15, wrist_roll=0.2)
    )
    assert code == 0, said
    assert {verdict_of(said, name) for name in NAMES} == {"right"}
    assert "within 15 degrees" in said


@pytest.mark.parametrize("joint", NAMES)
def test_a_wrong_zero_is_told_with_the_right_one(verify, arm: ArmFile, joint: str) -> None:
    i = NAMES.index(joint)
    first, second = shown(arm, 0), shown(arm, 1)
    first[i] += 340
    second[i] += 340
    code, said = verify(first, second)
    assert code == 1
    assert verdict_of(said, joint) == "wrong zero"
    assert f"{joint}: its zero is 340 ticks off" in said
    assert f"write zero_ticks: {arm.joints[i].zero_ticks + 340} in so100.yaml" in said
    assert said.count("problem:") == 1


@pytest.mark.parametrize("joint", NAMES)
def test_a_swapped_sign_is_told_with_the_right_one(verify, arm: ArmFile, joint: str) -> None:
    i = NAMES.index(joint)
    first, second = shown(arm, 0), shown(arm, 1)
    mirror = first[i] + second[i]  # turned against each other about the middle between both
    first[i], second[i] = mirror - first[i], mirror - second[i]
    code, said = verify(first, second)
    assert code == 1
    assert verdict_of(said, joint) == "swapped sign"
    assert f"write sign: {-arm.joints[i].sign} and zero_ticks:" in said
    assert said.count("problem:") == 1


def test_a_count_that_jumps_between_the_poses_is_a_wrapped_offset(verify, arm: ArmFile) -> None:
    first, second = shown(arm, 0), shown(arm, 1)
    first[0] -= 1500  # the virtual servo shows it within a turn: 547 and 3619
    second[0] -= 1500
    code, said = verify(first, second)
    assert code == 1
    assert verdict_of(said, "shoulder_pan") == "wrapped offset"
    assert "so100 doctor --calibration" in said


def test_half_a_turn_is_a_wrapped_offset_and_no_wrong_zero(arm: ArmFile) -> None:
    ticks = [dict(zip(NAMES, (round(t) for t in shown(arm, pose)), strict=True)) for pose in (0, 1)]
    for pose in ticks:
        pose["elbow_flex"] += 2048
    (wrong,) = (v for v in judge(arm, *ticks) if v.fault is not Fault.NONE)
    assert (wrong.joint.name, wrong.fault) == ("elbow_flex", Fault.WRAPPED)


def test_a_joint_that_stays_is_told(verify, arm: ArmFile) -> None:
    first, second = shown(arm, 0), shown(arm, 1)
    second[3] = first[3] + 20
    code, said = verify(first, second)
    assert code == 1
    assert verdict_of(said, "wrist_flex") == "did not turn"
    assert "was the pose taken?" in said


def test_the_verdict_s_zero_and_sign_make_the_joint_right(arm: ArmFile) -> None:
    for shift, mirrored in ((500, False), (-300, True)):
        first, second = shown(arm, 0), shown(arm, 1)
        for i in range(6):
            a, b = first[i] + shift, second[i] + shift
            first[i], second[i] = (a + b - a, a + b - b) if mirrored else (a, b)
        ticks = [dict(zip(NAMES, (round(t) for t in pose), strict=True)) for pose in (first, second)]
        for v in judge(arm, *ticks):
            assert v.fault is (Fault.SIGN if mirrored else Fault.ZERO)
            for pose, at in zip(POSES, ticks, strict=True):
                found = v.sign * (at[v.joint.name] - v.zero_ticks) * 2 * math.pi / 4096
                assert found == pytest.approx(pose.angle_rad(arm.robot_type, v.joint), abs=0.002)


def test_a_foreign_calibration_shows_as_a_wrong_zero_with_its_offset(
    verify, virtual: VirtualBus, arm: ArmFile, tmp_path: Path
) -> None:
    """The file says offset 400, the servo holds 0, so that it shows 400 ticks more than the file means."""
    joints = {
        j.name: JointCalibration(j.servo_id, 0, 400 if j.name == "elbow_flex" else 0, *j.range_ticks)
        for j in arm.joints
    }
    save_calibration(Calibration(joints), tmp_path / "other.json")
    first, second = shown(arm, 0), shown(arm, 1)
    first[2] += 400
    second[2] += 400
    code, said = verify(first, second, "--calibration", tmp_path / "other.json")
    assert code == 1
    assert verdict_of(said, "elbow_flex") == "wrong zero"
    assert "of that 400: the servo's homing_offset is 0, so100.yaml says 400" in said


def test_torque_goes_off_only_after_a_warning(so100: Run, virtual: VirtualBus, make_console) -> None:
    virtual.set(2, "torque_enable", 1)
    console = make_console([lambda: str(virtual.get(2, "torque_enable"))])
    code, said = so100("verify", "--port", virtual.port, "--arm", BASE, console=console)
    assert "hold the arm" in console.asked[0]
    assert virtual.get(2, "torque_enable") == 0
    assert code == 2  # nobody answers the second question
    assert "needs a terminal" in said


@pytest.mark.parametrize(("model", "jaw_side"), [(SO100, -1), (SO101, 1)], ids=["so100", "so101"])
def test_the_poses_are_what_their_words_say(model: Arm, jaw_side: int) -> None:
    """Against the official URDFs' figures: lines from axis to axis, the jaw at the hand's -x or x."""
    arm = model.kinematics
    for pose, elevations, heading, jaw in (
        (POSES[0], (90.0, 0.0, 0.0), (1.0, 0.0), (0.0, 0.0, 1.0)),
        (POSES[1], (0.0, 0.0, 90.0), (0.0, 1.0), (-1.0, 0.0, 0.0)),  # reaching along +y, its left is -x
    ):
        angles = [pose.body_rad[model.robot_type][name] for name in NAMES[:5]]
        positions = np.array([*angles, 0.0])
        _, shoulder, elbow, wrist, _ = arm.joint_origins(positions)
        tip, (_, rotation) = arm.pinch_point(positions), arm.gripper_frame(positions)
        lines = (elbow - shoulder, wrist - elbow, tip - wrist)
        for line, elevation in zip(lines, elevations, strict=True):
            # in the arm's plane: the SO-101's axes cross it beside each other
            assert math.degrees(math.atan2(line[2], line[:2] @ heading)) == pytest.approx(elevation, abs=3)
        reach = next(line for line, elevation in zip(lines, elevations, strict=True) if elevation == 0)
        assert reach[:2] @ heading > 0.95 * np.linalg.norm(reach[:2])
        assert np.allclose(jaw_side * rotation[:, 0], jaw, atol=0.06)


def test_an_so101_is_compared_with_its_own_description(
    so100: Run, virtual: VirtualBus, hand_moved, make_console
) -> None:
    file = BASE.with_name("so101.yaml")
    hand, poses = hand_moved(), [shown(load_arm_file(file), pose) for pose in (0, 1)]
    console = make_console([lambda: hand.move(poses[0]), lambda: hand.move(poses[1])])
    code, said = so100("verify", "--port", virtual.port, "--arm", file, console=console)
    assert code == 0, said
    assert {verdict_of(said, name) for name in NAMES} == {"right"}


def test_an_arm_of_another_kind_is_refused_at_once(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(BASE.read_text().replace("robot_type: so100", "robot_type: so999"))
    code, said = so100("verify", "--port", virtual.port, "--arm", tmp_path / "own.yaml")
    assert code == 2
    assert "robot_type: expected so100 or so101, whose poses this command knows, found 'so999'" in said
