"""`so100 convert`: calibration files between LeRobot's two layouts. See docs/so100_command.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from so100_hardware.arm_file import ArmFile
from so100_hardware.calibration import is_old_layout, load_calibration, read_json, save_calibration
from so100_hardware.commands.arm_options import add_arm_option, chosen_arm_file, refuse_to_overwrite
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.old_calibration import load_old_calibration, new_from_old, old_from_new, save_old_calibration
from so100_hardware.units import Zero


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "convert",
        help="a calibration file of LeRobot from its old layout to the new one, or back",
        description="Reads either layout and writes the other. The old one has its zero at the stretched arm and no "
        "ranges: from it the new one gets the zero exactly and the arm file's usual ranges.",
    )
    parser.add_argument("calibration", type=Path, help="a file of either layout")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    add_arm_option(parser)
    parser.add_argument(
        "--servo-offset",
        action="append",
        default=[],
        metavar="JOINT=TICKS",
        help="what a servo's homing_offset register held when an old file was made; default 0",
    )
    parser.add_argument("--force", action="store_true", help="replace the output where it is there already")
    parser.set_defaults(command=convert)


def convert(options: argparse.Namespace, console: Console) -> int:
    refuse_to_overwrite(options.output, options.force)
    if not is_old_layout(read_json(options.calibration)):
        old = old_from_new(load_calibration(options.calibration))
        save_old_calibration(old, options.output)
        console.say(f"{options.output}: the old layout, with zero at {Zero.STRETCHED.value}")
        return 0
    arm = chosen_arm_file(options.arm)
    old = load_old_calibration(options.calibration)
    unknown = sorted(set(old.joints) - set(arm.servo_ids))
    if unknown:
        known = ", ".join(arm.servo_ids)
        raise CommandError(
            f"{options.calibration}: motor_names: expected joints of {arm.path} ({known}), found {unknown[0]}"
        )
    offsets = dict(_offset(text, arm) for text in options.servo_offset)
    ranges = {joint.name: joint.range_ticks for joint in arm.joints}
    new = new_from_old(old, arm.servo_ids, ranges, offsets)
    save_calibration(new, options.output)
    console.say(f"{options.output}: the new layout, with zero at {Zero.MIDDLE.value}")
    console.say(
        f"  its ranges are those of {arm.path.name}, for the old layout has none; `so100 calibrate` measures them"
    )
    return 0


def _offset(text: str, arm: ArmFile) -> tuple[str, int]:
    name, _, ticks = text.partition("=")
    try:
        if name in arm.servo_ids:
            return name, int(ticks)
    except ValueError:
        pass
    raise CommandError(f"--servo-offset: expected JOINT=TICKS with one of {', '.join(arm.servo_ids)}, found {text}")
