"""`so100 embodiment`: one arm's own embodiment file, from its calibration. See docs/so100_command.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from so100_hardware.arm_file import default_arm_file
from so100_hardware.calibrated_arm_file import calibrated_embodiment, joints_outside_their_range
from so100_hardware.calibration import load_calibration
from so100_hardware.commands.arm_options import refuse_to_overwrite, write_text
from so100_hardware.commands.console import Console


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "embodiment",
        help="one arm's own embodiment file, from its calibration",
        description="Writes a copy of an embodiment file with one arm's calibration in it: ranges, homing offsets, and "
        "the zero moved so that LeRobot's degrees and the radians of the description stay together.",
    )
    parser.add_argument("--calibration", type=Path, required=True, metavar="FILE", help="LeRobot's file of this arm")
    parser.add_argument(
        "--base", type=Path, metavar="FILE", help="embodiment file to start from; default: the SO-100's"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the arm's own file")
    parser.add_argument("--force", action="store_true", help="replace the output where it is there already")
    parser.set_defaults(command=embodiment)


def embodiment(options: argparse.Namespace, console: Console) -> int:
    base = options.base or default_arm_file()
    text = calibrated_embodiment(base, load_calibration(options.calibration))
    refuse_to_overwrite(options.output, options.force)
    write_text(options.output, text)
    console.say(f"{options.output}: {base.name} with the calibration of {options.calibration}")
    for line in joints_outside_their_range(options.output):
        console.say(f"  {line}")
    console.say(f"use it: embodiment:={options.output} for `smolvla run` or `ros2 launch smolvla_ros so100.launch.py`")
    return 0
