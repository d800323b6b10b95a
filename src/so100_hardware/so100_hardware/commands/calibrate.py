"""`so100 calibrate`: LeRobot's calibration, guided; restored from a file, or read out. See docs/so100_command.md."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from so100_hardware._bus import Bus
from so100_hardware.arm_file import ArmFileError
from so100_hardware.calibration import Calibration, JointCalibration, load_calibration, save_calibration
from so100_hardware.commands.arm_options import (
    ArmChoice,
    add_arm_option,
    add_port_options,
    arm_choice,
    chosen_arm_file,
    refuse_to_overwrite,
)
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.commands.releasing import release
from so100_hardware.commands.sweep import sweep
from so100_hardware.lerobot_folder import FOLLOWER_TYPES, LEADER_TYPES, calibration_file
from so100_hardware.workshop.servo_calibration import read_calibration, read_registers, write_calibration
from so100_hardware.workshop.servo_check import check_servos


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="LeRobot's calibration, guided; restored from a file, or read out of the servos",
        description="Records where each joint's range lies while the arm is moved by hand, and writes LeRobot's "
        "calibration file. The servos' EEPROM is written only after a yes, or with --write-servos.",
    )
    add_port_options(parser)
    add_arm_option(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", type=Path, metavar="FILE", help="write this file's values to the servos instead")
    what.add_argument("--read", action="store_true", help="write what the servos hold to the file instead")
    parser.add_argument("--id", metavar="NAME", help="the arm's id in LeRobot: the file goes where it looks for it")
    parser.add_argument("--robot-type", choices=FOLLOWER_TYPES + LEADER_TYPES, default=FOLLOWER_TYPES[0])
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file, instead of --id")
    parser.add_argument("--force", action="store_true", help="replace the file where it is there already")
    parser.add_argument("--write-servos", action="store_true", help="write the EEPROM without asking")
    parser.set_defaults(command=calibrate)


def calibrate(options: argparse.Namespace, console: Console) -> int:
    arm = arm_choice(options, options.port)
    if options.apply:
        calibration, output = load_calibration(options.apply), options.apply
        _check_joints(calibration, arm, options.apply)
    else:
        output = _output(options)
        refuse_to_overwrite(output, options.force)
    with Bus(arm.port, arm.baud_rate, retries=3) as bus:
        check_servos(bus, arm.servo_ids)
        if options.read:
            _save(read_calibration(bus, arm.servo_ids), output, console)
            return 0
        if not options.apply:
            calibration = _record(bus, arm, _usual_sweeps(options.arm), console)
            _save(calibration, output, console)
        return _write(bus, calibration, options.write_servos, output, console)


def _record(bus: Bus, arm: ArmChoice, usual: dict[str, int], console: Console) -> Calibration:
    release(bus, arm.servo_ids, console)
    recorders = sweep(bus, arm.servo_ids, usual, console)
    joints = {}
    for name, servo_id in arm.servo_ids.items():
        recorder = recorders[name]
        joints[name] = JointCalibration(servo_id, 0, recorder.homing_offset, recorder.lowest, recorder.highest)
    return Calibration(joints)


def _write(bus: Bus, calibration: Calibration, unasked: bool, file: Path, console: Console) -> int:
    ids = {name: joint.servo_id for name, joint in calibration.joints.items()}
    registers = read_registers(bus, ids)
    console.say(f"  {'joint':<15}{'homing_offset':>22}{'min_position_limit':>22}{'max_position_limit':>22}")
    for name, joint in calibration.joints.items():
        holds = registers[joint.servo_id]
        cells = (
            f"{holds[register]} -> {value}" if holds[register] != value else f"{value}"
            for register, value in zip(
                ("homing_offset", "min_position_limit", "max_position_limit"),
                (joint.homing_offset, joint.range_min, joint.range_max),
                strict=True,
            )
        )
        console.say(f"  {name:<15}" + "".join(f"{cell:>22}" for cell in cells))
    if not unasked and not console.confirm("write this to the servos' EEPROM?"):
        console.say("the servos were not written: they differ from the file until")
        console.say(f"  so100 calibrate --port {bus.port} --apply {file}")
        return 1
    release(bus, ids, console)
    written = write_calibration(bus, calibration)
    console.say(f"wrote {len(written)} registers, read back and found right; the positions moved as they should")
    console.say(f"next: so100 embodiment --calibration {file} -o my_arm.yaml")
    console.say(f"then: so100 verify --port {bus.port} --arm my_arm.yaml")
    return 0


def _save(calibration: Calibration, output: Path, console: Console) -> None:
    try:
        save_calibration(calibration, output)
    except OSError as error:
        raise CommandError(f"{output}: cannot be written ({error.strerror or error}); name another file") from None
    console.say(f"{output}: calibration of {len(calibration.joints)} joints")


def _output(options: argparse.Namespace) -> Path:
    if options.output:
        return Path(options.output)
    if options.id:
        return calibration_file(options.id, options.robot_type, os.environ)
    raise CommandError("where to write the calibration: give --id NAME, the arm's id in LeRobot, or -o FILE")


def _usual_sweeps(arm_file: Path | None) -> dict[str, int]:
    """Ticks that each joint of the arm file turns; nothing where none is installed."""
    try:
        return {joint.name: joint.range_ticks[1] - joint.range_ticks[0] for joint in chosen_arm_file(arm_file).joints}
    except ArmFileError:
        if arm_file:
            raise
        return {}


def _check_joints(calibration: Calibration, arm: ArmChoice, file: Path) -> None:
    found = {name: joint.servo_id for name, joint in calibration.joints.items()}
    if found != arm.servo_ids:
        expected, told = (", ".join(f"{i} {name}" for name, i in of.items()) for of in (arm.servo_ids, found))
        raise CommandError(f"{file}: expected joints {expected}; found {told}. Name this arm's file")
