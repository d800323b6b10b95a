"""`so100 calibrate` on a virtual arm that is moved by hand between the prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from so100_hardware.calibration import Calibration, JointCalibration, load_calibration, save_calibration

from so100_hardware import REGISTERS, VirtualBus

Run = Callable[..., tuple[int, str]]
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
# Encoder counts of a new arm: where each joint's range is, and its middle.
ENDS = ((800, 3400), (3000, 5300), (-500, 1600), (700, 3200), (0, 4095), (2600, 4100))
MIDDLES = [(low + high) / 2 // 1 for low, high in ENDS]


def swept(arm, joints=(0, 1, 2, 3, 5)) -> list[Callable[[], object]]:
    """Every joint to both ends and back, in turn."""
    return [step for joint in joints for step in arm.steps(joint, *ENDS[joint], MIDDLES[joint])]


@pytest.fixture
def arm(hand_moved):
    return hand_moved([float(m) for m in MIDDLES])


def eeprom(virtual: VirtualBus) -> dict[tuple[int, str], int]:
    stored = [name for name, register in REGISTERS.items() if register.memory != "sram"]
    return {(i, name): virtual.get(i, name) for i in range(1, 7) for name in stored}


def test_the_file_says_where_each_range_lies_and_the_servos_hold_it(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    console = make_console(["", "y"], swept(arm))
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert code == 0, said
    made = load_calibration(tmp_path / "arm.json")
    for i, name in enumerate(NAMES):
        joint = made.joints[name]
        if name != "wrist_roll":
            for shown, encoder in zip(joint.range_ticks, ENDS[i], strict=True):
                assert abs((shown + joint.homing_offset - encoder + 2048) % 4096 - 2048) <= 1, name
        assert virtual.get(i + 1, "homing_offset") == joint.homing_offset
        assert virtual.get(i + 1, "min_position_limit") == joint.range_min
        assert virtual.get(i + 1, "max_position_limit") == joint.range_max
        assert virtual.get(i + 1, "lock") == 1
        assert abs(virtual.get(i + 1, "present_position") - 2047) <= 1
    assert made.joints["wrist_roll"].range_ticks == (0, 4095)
    assert so100("doctor", "--port", virtual.port, "--calibration", tmp_path / "arm.json")[0] == 0


def test_the_live_view_shows_what_was_swept(so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path) -> None:
    console = make_console(["", "n"], swept(arm))
    so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert console.live[0].split() == ["joint", "min", "now", "max", "swept"]
    pan = console.live[1].split()
    assert pan == ["shoulder_pan", "747", "2047", "3347", "229", "deg"]
    assert len(console.live) == 6


def test_the_eeprom_stays_as_it_was_without_a_yes(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    before = eeprom(virtual)
    console = make_console(["", ""], swept(arm))
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert code == 1
    assert eeprom(virtual) == before
    assert "0 -> " in said
    assert f"so100 calibrate --port {virtual.port} --apply {tmp_path / 'arm.json'}" in said
    assert so100("calibrate", "--port", virtual.port, "--apply", tmp_path / "arm.json", "--write-servos")[0] == 0
    assert (
        virtual.get(2, "homing_offset") == load_calibration(tmp_path / "arm.json").joints["shoulder_lift"].homing_offset
    )


def test_an_arm_that_was_calibrated_before_gets_the_same_calibration(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    """What the servos held before, an offset or a count of turns, does not matter."""
    so100("calibrate", "--port", virtual.port, "-o", tmp_path / "a.json", console=make_console(["", "n"], swept(arm)))
    for servo_id in range(1, 7):
        virtual.set(servo_id, "homing_offset", -311 * servo_id)
    virtual.set(2, "phase", 28)
    arm.move(MIDDLES)
    so100("calibrate", "--port", virtual.port, "-o", tmp_path / "b.json", console=make_console(["", "n"], swept(arm)))
    assert load_calibration(tmp_path / "a.json") == load_calibration(tmp_path / "b.json")


def test_torque_goes_off_only_after_a_warning(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    virtual.set(2, "torque_enable", 1)
    at_the_warning = []
    console = make_console([lambda: at_the_warning.append(virtual.get(2, "torque_enable")) or "", "", "n"], swept(arm))
    so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert "hold the arm" in console.asked[0]
    assert at_the_warning == [1]
    assert virtual.get(2, "torque_enable") == 0


def test_an_offset_that_the_register_cannot_hold_is_told_and_fitted(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    """LeRobot ends with 'Magnitude exceeds 2047' here: a servo that counts turns shows 4150."""
    virtual.set(2, "phase", 28)
    console = make_console(["", "y"], swept(arm))
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert (
        "shoulder_lift: homing offset 2103 does not fit the register (-2047 to 2047); -1993 is the same place" in said
    )
    assert code == 0
    assert load_calibration(tmp_path / "arm.json").joints["shoulder_lift"].homing_offset == -1993


def test_a_wrong_middle_is_told_and_chosen_again(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    arm.move_joint(0, 3390.0)  # near an end: the other one lies past the end of the count
    at_the_middle = swept(arm, joints=(1, 2, 3, 5))
    first = arm.steps(0, *ENDS[0], MIDDLES[0])
    console = make_console(["", "k", "m", "", "y"], [*first, *at_the_middle])

    def again() -> str:
        console.sweep += swept(arm)
        return arm.move(MIDDLES)

    console.answers[3] = again
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert code == 0, said
    assert "shoulder_pan runs from -543 to 2057, past the end of the servo's count (0 to 4095)" in said
    assert "k: keep it so" not in "".join(console.asked)
    assert load_calibration(tmp_path / "arm.json").joints["shoulder_pan"].range_ticks == (747, 3347)


def test_a_joint_that_was_hardly_moved_is_told_and_swept_on(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    console = make_console(["", "", "y"], swept(arm, joints=(0, 1, 2, 5)))
    console.answers[1] = lambda: console.sweep.extend(swept(arm, joints=(3,))) or ""
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)
    assert code == 0
    assert "wrist_flex was moved by 0 degrees only, expected at least 127" in said
    joint = load_calibration(tmp_path / "arm.json").joints["wrist_flex"]
    assert joint.range_max - joint.range_min == ENDS[3][1] - ENDS[3][0]


def test_a_small_range_is_kept_when_the_operator_says_so(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    narrow = arm.steps(3, 1600.0, 2400.0)
    console = make_console(["", "k", "y"], [*swept(arm, joints=(0, 1, 2, 5)), *narrow])
    assert so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=console)[0] == 0
    joint = load_calibration(tmp_path / "arm.json").joints["wrist_flex"]
    assert joint.range_max - joint.range_min == 800


def test_a_lost_reading_does_not_end_the_sweep(
    so100: Run, virtual: VirtualBus, arm, make_console, tmp_path: Path
) -> None:
    steps = swept(arm)
    steps.insert(10, lambda: virtual.inject_fault("mute servo 4"))
    steps.insert(14, lambda: virtual.inject_fault("clear mute servo 4"))
    code, said = so100(
        "calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json", console=make_console(["", "y"], steps)
    )
    assert code == 0, said


def test_read_writes_what_the_servos_hold(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    virtual.set(3, "homing_offset", -77)
    virtual.set(3, "max_position_limit", 3000)
    assert so100("calibrate", "--port", virtual.port, "--read", "-o", tmp_path / "arm.json")[0] == 0
    assert load_calibration(tmp_path / "arm.json").joints["elbow_flex"] == JointCalibration(3, 0, -77, 0, 3000)


def test_apply_sets_position_mode_and_writes_only_what_differs(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    so100("calibrate", "--port", virtual.port, "--read", "-o", tmp_path / "arm.json")
    virtual.set(3, "operating_mode", 1)
    before = eeprom(virtual)
    code, said = so100("calibrate", "--port", virtual.port, "--apply", tmp_path / "arm.json", "--write-servos")
    assert code == 0
    assert "wrote 0 registers" in said
    assert eeprom(virtual) == {**before, (3, "operating_mode"): 0}


def test_a_file_of_other_joints_is_refused(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    path = tmp_path / "koch.json"
    save_calibration(Calibration({"base": JointCalibration(1, 0, 0, 0, 4095)}), path)
    code, said = so100("calibrate", "--port", virtual.port, "--apply", path, "--write-servos")
    assert code == 2
    assert "found 1 base. Name this arm's file" in said


def test_an_id_puts_the_file_where_lerobot_looks(
    so100: Run, virtual: VirtualBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_LEROBOT_CALIBRATION", str(tmp_path))
    assert so100("calibrate", "--port", virtual.port, "--read", "--id", "my_arm")[0] == 0
    assert load_calibration(tmp_path / "robots/so_follower/my_arm.json")
    code, said = so100("calibrate", "--port", virtual.port, "--read", "--id", "my_arm")
    assert code == 2
    assert "is there already" in said


def test_without_a_place_for_the_file_nothing_begins(so100: Run, virtual: VirtualBus) -> None:
    code, said = so100("calibrate", "--port", virtual.port)
    assert code == 2
    assert "give --id NAME" in said


def test_a_missing_servo_and_another_model_end_it_before_anything_is_asked(
    so100: Run, virtual: VirtualBus, tmp_path: Path
) -> None:
    virtual.set(5, "model_number", 1284)
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json")
    assert code == 2
    assert "servo 5 (wrist_roll): expected model 777 (STS3215), found 1284" in said
    virtual.inject_fault("mute servo 4")
    code, said = so100("calibrate", "--port", virtual.port, "-o", tmp_path / "arm.json")
    assert code == 2
    assert "no answer from 4 (wrist_flex)" in said
    assert f"so100 doctor --port {virtual.port}" in said
