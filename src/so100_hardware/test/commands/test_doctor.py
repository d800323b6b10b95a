"""`so100 doctor`: each thing that can be wrong is told apart, with its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_port import CollidingServos, modem, scripted_port
from so100_hardware.calibration import Calibration, JointCalibration, save_calibration
from so100_hardware.commands import doctor
from so100_hardware.workshop.serial_ports import serial_ports
from usb_tree import usb_tree

from so100_hardware import REGISTERS, Bus, VirtualBus

Run = Callable[..., tuple[int, str]]
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


@pytest.fixture(autouse=True)
def short_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LISTEN_S", 0.05)


def findings(said: str) -> dict[str, str]:
    """Kind -> subject of what `--json` printed."""
    (port,) = json.loads(said)["ports"]
    return {finding["kind"]: finding["subject"] for finding in port["findings"]}


def snapshot(virtual: VirtualBus) -> dict[tuple[int, str], int]:
    return {(i, name): virtual.get(i, name) for i in range(1, 7) for name in REGISTERS}


def test_a_sound_arm_is_well(so100: Run, virtual: VirtualBus) -> None:
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 0
    assert "6 of 6 servos read" in said
    assert "3   elbow_flex" in said
    assert said.rstrip().endswith("all is well")


def test_nothing_is_written(so100: Run, virtual: VirtualBus) -> None:
    virtual.set(3, "phase", 28)
    virtual.set(4, "lock", 0)
    before = snapshot(virtual)
    assert so100("doctor", "--port", virtual.port)[0] == 1
    assert snapshot(virtual) == before


@pytest.mark.parametrize(
    ("register", "value", "kind", "words"),
    [
        ("model_number", 1284, "model", ["expected model 777 (STS3215), found 1284", "another arm's port"]),
        ("firmware_minor_version", 9, "firmware", ["servo 3 (elbow_flex) 3.9", "Feetech's software"]),
        ("present_voltage", 38, "voltage", ["expected 4.0 to 8.0 V, found 3.8 V", "power supply"]),
        ("present_temperature", 66, "temperature", ["is at 66 degC, turns itself off at 70", "cool"]),
        ("operating_mode", 1, "operating_mode", ["expected operating_mode 0 (position), found 1", "so100 calibrate"]),
        ("response_status_level", 0, "response_status_level", ["does not acknowledge writes", "set it to 1"]),
        ("angular_resolution", 3, "angular_resolution", ["expected angular_resolution 1, found 3"]),
        ("return_delay_time", 250, "return_delay_time", ["waits 500 us", "so100 doctor --fix"]),
        ("phase", 28, "phase", ["counts turns (bit 4 of phase 28)", "so100 doctor --fix"]),
        ("min_position_limit", 4095, "limits", ["expected min_position_limit below max", "so100 calibrate"]),
        ("max_position_limit", 1000, "outside_limits", ["stands at 2048, outside of its limits 0 to 1000"]),
    ],
)
def test_a_servo_s_trouble_is_named_with_its_remedy(
    so100: Run, virtual: VirtualBus, register: str, value: int, kind: str, words: list[str]
) -> None:
    virtual.set(3, register, value)
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 1
    for word in [*words, "servo 3 (elbow_flex)"]:
        assert word in said
    code, said = so100("doctor", "--port", virtual.port, "--json")
    assert code == 1
    assert kind in findings(said)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("overload servo 3", ["reports an error: overload", "free the joint"]),
        ("overheat servo 3 to 75", ["reports an error: overheating", "is at 75 degC", "cool"]),
        ("voltage to 3.5 servo 3", ["reports an error: voltage", "found 3.5 V", "power supply"]),
    ],
)
def test_an_error_of_a_servo_is_named_with_its_remedy(
    so100: Run, virtual: VirtualBus, fault: str, words: list[str]
) -> None:
    virtual.inject_fault(fault)
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 1
    for word in [*words, "servo 3 (elbow_flex)"]:
        assert word in said


@pytest.mark.parametrize(("register", "value", "kind"), [("torque_enable", 1, "torque_on"), ("lock", 0, "unlocked")])
def test_a_note_is_no_problem(so100: Run, virtual: VirtualBus, register: str, value: int, kind: str) -> None:
    virtual.set(3, register, value)
    code, said = so100("doctor", "--port", virtual.port, "--json")
    assert code == 0
    assert kind in findings(said)


def test_a_missing_servo_is_named(so100: Run, virtual: VirtualBus) -> None:
    virtual.inject_fault("mute servo 4")
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 1
    assert "problem: servo 4 (wrist_flex): does not answer, 5 others do" in said
    assert "so100 setup-motors --joint wrist_flex" in said


def test_a_servo_of_an_id_that_the_arm_has_not_is_named(so100: Run) -> None:
    with VirtualBus([1, 2, 3, 4, 5, 9]) as virtual:
        code, said = so100("doctor", "--port", virtual.port, "--json")
    assert code == 1
    assert findings(said)["unexpected_id"] == "servo 9"
    assert findings(said)["missing_servo"] == "servo 6 (gripper)"


@pytest.mark.parametrize("on_top", [False, True])
def test_two_servos_with_one_id_are_told_from_a_missing_one(so100: Run, on_top: bool) -> None:
    servos = CollidingServos([(1, 2000), (2, 2100), (2, 1771), (4, 900), (5, 3000), (6, 1500)], on_top)
    with scripted_port(servos.answer) as port:
        code, said = so100("doctor", "--port", port, "--json")
        told = so100("doctor", "--port", port)[1]
    assert code == 1
    assert findings(said)["equal_ids"] == "servo 2 (shoulder_lift)"
    assert findings(said)["missing_servo"] == "servo 3 (elbow_flex)"
    assert "two servos have this id; servo 3 (elbow_flex) is missing" in told
    assert "one at a time" in told


def test_a_servo_that_took_another_s_id_is_told(so100: Run, virtual: VirtualBus) -> None:
    virtual.exchange([2000.0 + 37 * i for i in range(6)], [0.0] * 6, [0.0] * 6, 0.0)
    virtual.inject_fault("take id 2 servo 3")
    code, said = so100("doctor", "--port", virtual.port, "--json")
    assert code == 1
    assert findings(said)["equal_ids"] == "servo 2 (shoulder_lift)"
    assert findings(said)["missing_servo"] == "servo 3 (elbow_flex)"


def test_servos_at_another_baud_rate_are_found_there(so100: Run, virtual: VirtualBus) -> None:
    for servo_id in range(1, 7):
        virtual.set(servo_id, "baud_rate", 4)
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 1
    assert "servos 1, 2, 3, 4, 5, 6 answer at 115200 baud, none at 1000000" in said
    assert "6 of 6 servos read" in said


def test_one_servo_at_another_baud_rate_is_named(so100: Run, virtual: VirtualBus) -> None:
    virtual.set(5, "baud_rate", 1)
    code, said = so100("doctor", "--port", virtual.port)
    assert code == 1
    assert "servo 5 (wrist_roll): does not answer at 1000000 baud, but at 500000" in said
    assert "so100 setup-motors --joint wrist_roll" in said


def test_garbage_at_every_servo_is_a_bad_line_and_no_equal_ids(so100: Run) -> None:
    servos = CollidingServos([(i, 1000 + i) for i in range(1, 7)], on_top=False)
    with scripted_port(lambda received: servos.answer(received) + b"\x00\x7f") as port:
        code, said = so100("doctor", "--port", port, "--json")
    assert code == 1
    assert "bad_line" in findings(said)
    assert "equal_ids" not in findings(said)


def test_a_modem_is_told_by_its_words(so100: Run) -> None:
    with scripted_port(modem) as port:
        code, said = so100("doctor", "--port", port)
    assert code == 2
    assert 'answers in words ("OK"): a modem' in said
    assert "name the arm's port with --port" in said


def test_a_device_that_sends_other_bytes_is_told(so100: Run) -> None:
    with scripted_port(lambda received: b"\x80\x01\x02\xfe" if received[:2] == b"\xff\xff" else b"") as port:
        code, said = so100("doctor", "--port", port, "--json")
    assert code == 2
    assert list(findings(said)) == ["not_servos"]


def test_silence_at_all_rates_points_at_the_power_supply(so100: Run) -> None:
    with scripted_port(lambda received: b"") as port:
        code, said = so100("doctor", "--port", port)
    assert code == 2
    assert "nothing answers at any of 8 baud rates" in said
    assert "power supply" in said


def test_a_port_that_is_not_there(so100: Run, tmp_path: Path) -> None:
    code, said = so100("doctor", "--port", tmp_path / "ttyACM0")
    assert code == 2
    assert "no such device" in said
    assert "connect the board by USB" in said or "name one that is there" in said


def test_a_file_that_is_no_serial_port(so100: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = so100("doctor", "--port", tmp_path / "file", "--json")
    assert code == 2
    assert list(findings(said)) == ["not_a_serial_port"]


def test_a_port_in_use_names_the_process(so100: Run, virtual: VirtualBus) -> None:
    with Bus(virtual.port):
        code, said = so100("doctor", "--port", virtual.port)
    assert code == 2
    assert f"already in use by process {os.getpid()}" in said
    assert "stop the other one" in said


def test_a_port_without_permission_names_the_group(virtual: VirtualBus) -> None:
    """As root every file opens, so the attempt is made by a process without the right to."""
    os.chmod(virtual.port, 0o660)
    script = (
        "import os, sys\n"
        "from so100_hardware.cli import main, make_parser\n"
        "make_parser()\n"  # imports all before the right to read the package may go
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main(['doctor', '--port', sys.argv[1]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, virtual.port], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "permission denied: only root and the group" in done.stdout
    assert "sudo usermod -aG" in done.stdout
    assert "so100 udev" in done.stdout


def calibration_of(virtual: VirtualBus, path: Path, **shift: int) -> Path:
    joints = {
        name: JointCalibration(
            i,
            0,
            virtual.get(i, "homing_offset") + shift.get(name, 0),
            virtual.get(i, "min_position_limit"),
            virtual.get(i, "max_position_limit"),
        )
        for i, name in enumerate(NAMES, 1)
    }
    save_calibration(Calibration(joints), path)
    return path


def test_the_arm_s_own_calibration_fits(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    own = calibration_of(virtual, tmp_path / "own.json")
    code, said = so100("doctor", "--port", virtual.port, "--calibration", own)
    assert code == 0
    assert "is the calibration that the servos hold" in said


def test_another_arm_s_calibration_is_told(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    other = calibration_of(virtual, tmp_path / "other.json", elbow_flex=-312)
    code, said = so100("doctor", "--port", virtual.port, "--calibration", other)
    assert code == 1
    assert "servo 3 (elbow_flex) homing_offset: file -312, servo 0" in said
    assert f"so100 calibrate --apply {other}" in said


def test_a_calibration_of_other_joints_is_told(so100: Run, virtual: VirtualBus, tmp_path: Path) -> None:
    path = tmp_path / "koch.json"
    save_calibration(Calibration({"base": JointCalibration(1, 0, 0, 0, 4095)}), path)
    code, said = so100("doctor", "--port", virtual.port, "--calibration", path, "--json")
    assert code == 1
    assert "calibration_joints" in findings(said)


def test_fix_writes_what_it_named_after_asking(so100: Run, virtual: VirtualBus, make_console) -> None:
    virtual.set(2, "return_delay_time", 250)
    virtual.set(3, "phase", 28)
    before = snapshot(virtual)
    console = make_console(["y"])
    assert so100("doctor", "--port", virtual.port, "--fix", console=console)[0] == 1
    assert console.asked == ["write these 2 registers? [y/N]"]
    assert "would write servo 3: phase 28 -> 12 (EEPROM)" in console.text
    assert snapshot(virtual) == {**before, (2, "return_delay_time"): 0, (3, "phase"): 12}
    assert so100("doctor", "--port", virtual.port)[0] == 0


def test_fix_writes_nothing_without_a_yes(so100: Run, virtual: VirtualBus, make_console) -> None:
    virtual.set(2, "return_delay_time", 250)
    assert "nothing was written" in so100("doctor", "--port", virtual.port, "--fix", console=make_console([""]))[1]
    assert virtual.get(2, "return_delay_time") == 250
    assert "wrote 1 register" in so100("doctor", "--port", virtual.port, "--fix", "--yes")[1]
    assert virtual.get(2, "return_delay_time") == 0


def test_fix_leaves_a_servo_that_holds_its_place(so100: Run, virtual: VirtualBus) -> None:
    virtual.set(2, "return_delay_time", 250)
    virtual.set(2, "torque_enable", 1)
    assert "torque is on at servos 2" in so100("doctor", "--port", virtual.port, "--fix", "--yes")[1]
    assert virtual.get(2, "return_delay_time") == 250


def test_ports_are_listed_with_their_lasting_names_and_chips(tmp_path: Path) -> None:
    usb_tree(tmp_path, ("ttyACM0", "1a86", "5A46"), ("ttyACM1", "12d1", "E3372"))
    arm, stick = serial_ports(tmp_path)
    assert arm.lasting_path.endswith("by-id/usb-5A46")
    assert arm.adapter
    assert arm.adapter.serial == "5A46"
    assert (arm.may_be_an_arm, stick.may_be_an_arm) == (True, False)


def test_without_a_port_only_servo_boards_are_spoken_to(
    so100: Run, virtual: VirtualBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usb_tree(tmp_path, ("ttyACM0", "1a86", "5A46"), ("ttyACM1", "12d1", "E3372"))
    (tmp_path / "dev/ttyACM0").unlink()
    (tmp_path / "dev/ttyACM0").symlink_to(virtual.port)
    (tmp_path / "dev/serial/by-id/usb-5A46").unlink()
    monkeypatch.setattr(doctor, "serial_ports", lambda: serial_ports(tmp_path))
    code, said = so100("doctor")
    assert code == 0
    assert "ttyACM0 at 1000000 baud: 6 of 6 servos read" in said
    assert "ttyACM1: USB Serial; left alone" in said


def test_without_any_port_one_is_told_to_connect_the_board(so100: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "serial_ports", list)
    code, said = so100("doctor")
    assert code == 2
    assert "connect the arm's board by USB" in said


def test_a_sound_arm_is_looked_at_in_a_second(so100: Run, virtual: VirtualBus) -> None:
    started = time.monotonic()
    so100("doctor", "--port", virtual.port)
    assert time.monotonic() - started < 5.0
