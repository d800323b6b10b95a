"""The options that say which arm a command is about, alike in every command."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from so100_hardware.arm_file import DEFAULT_BAUD_RATE, SO100_SERVOS, ArmFile, default_arm_file, load_arm_file
from so100_hardware.calibrated_arm_file import calibrated_arm
from so100_hardware.calibration import load_calibration
from so100_hardware.commands.errors import CommandError


@dataclass(frozen=True)
class ArmChoice:
    """Where an arm is and which servos it should have, joint name -> servo id."""

    port: str
    baud_rate: int
    servo_ids: dict[str, int]


def add_port_options(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--port", required=required, metavar="DEVICE", help="the arm's serial port, e.g. /dev/ttyACM0")
    parser.add_argument(
        "--baud-rate", type=int, metavar="BAUD", help=f"default: the arm file's, else {DEFAULT_BAUD_RATE}"
    )


def add_arm_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arm", type=Path, metavar="FILE", help="the embodiment file; default: the SO-100's")


def arm_choice(options: argparse.Namespace, port: str) -> ArmChoice:
    """Without --arm the servos of every SO-100. Raises ArmFileError."""
    if options.arm is None:
        return ArmChoice(port, options.baud_rate or DEFAULT_BAUD_RATE, dict(SO100_SERVOS))
    arm = load_arm_file(options.arm)
    return ArmChoice(port, options.baud_rate or arm.baud_rate, arm.servo_ids)


def chosen_arm_file(path: Path | None) -> ArmFile:
    """Raises ArmFileError."""
    return load_arm_file(path or default_arm_file())


def calibrated_choice(arm_file: Path | None, calibration: Path | None) -> ArmFile:
    """The arm with LeRobot's calibration in it, where one is named. Raises ArmFileError and CalibrationError."""
    arm = chosen_arm_file(arm_file)
    return calibrated_arm(arm, load_calibration(calibration)) if calibration else arm


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Raises CommandError where the file is there and was not meant to be replaced."""
    if path.exists() and not force:
        raise CommandError(f"{path} is there already: name another file, or give --force to replace it")


def write_text(path: Path, text: str) -> None:
    """Makes the folder too. Raises CommandError where that is not allowed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror or error}); name another file") from None
