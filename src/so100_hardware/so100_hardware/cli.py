"""The `so100` command. Errors that an operator can mend end it with one line and code 2."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from so100_hardware._bus import BusError
from so100_hardware.arm_file import ArmFileError
from so100_hardware.calibration import CalibrationError
from so100_hardware.commands.console import Console, NoAnswerError
from so100_hardware.commands.errors import CommandError
from so100_hardware.workshop.servo_check import OtherArmError

COMMANDS = ("doctor", "setup_motors", "calibrate", "verify", "teleop", "udev", "embodiment", "convert")
OPERATOR_ERRORS = (BusError, ArmFileError, CalibrationError, CommandError, NoAnswerError, OtherArmError)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="so100", description="Sets up and examines an SO-100 or SO-101 arm.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name in COMMANDS:
        importlib.import_module(f"so100_hardware.commands.{name}").add_parser(commands)
    return parser


def main(words: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs one command; its exit code. `console` is where it talks to the operator, the terminal by default."""
    console = console or Console()
    options = make_parser().parse_args(words)
    try:
        return int(options.command(options, console))
    except OPERATOR_ERRORS as error:
        print(f"so100: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nso100: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
