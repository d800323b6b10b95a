"""`so100 verify`: whether the arm's angles are those of the description. See docs/so100_command.md.

Ends with 0 where all joints are right, 1 where one is not.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from so100_hardware._bus import Bus
from so100_hardware.arm_file import ArmFile
from so100_hardware.commands.arm_options import add_arm_option, add_port_options, calibrated_choice
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.commands.releasing import release
from so100_hardware.workshop.pose_check import POSES, ROBOT_TYPES, TOLERANCE_RAD, Fault, Verdict, judge
from so100_hardware.workshop.servo_check import check_servos

ADVICE = {
    Fault.ZERO: "its zero is {ticks} ticks off: calibrate anew (the middle pose was not in the middle), or write "
    "zero_ticks: {zero} in {file}",
    Fault.SIGN: "it turns against the description: write sign: {sign} and zero_ticks: {zero} in {file}",
    Fault.WRAPPED: "its count jumps or is half a turn off: the servo's homing_offset is not that of the calibration. "
    "`so100 doctor --calibration FILE` compares them; else `so100 calibrate`",
    Fault.STILL: "its servo did not turn between the poses: was the pose taken? Else two servos have each other's id: "
    "`so100 setup-motors`",
    Fault.UNCLEAR: "the angles fit neither another zero nor the other sign: take both poses again",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="whether the arm's angles are those of the description",
        description="Asks for two poses, put by hand without torque, and compares each joint's angle with the "
        "description's. Tells a wrong zero, a swapped sign and a wrapped offset apart. Writes nothing but torque off.",
    )
    add_port_options(parser)
    add_arm_option(parser)
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="LeRobot's file of this arm")
    parser.set_defaults(command=verify)


def verify(options: argparse.Namespace, console: Console) -> int:
    arm = calibrated_choice(options.arm, options.calibration)
    if arm.robot_type not in ROBOT_TYPES:
        raise CommandError(
            f"{arm.path}: robot_type: expected {' or '.join(ROBOT_TYPES)}, whose poses this command knows,"
            f" found '{arm.robot_type}'"
        )
    with Bus(options.port, options.baud_rate or arm.baud_rate, retries=3) as bus:
        check_servos(bus, arm.servo_ids)
        release(bus, arm.servo_ids, console)
        positions = []
        for number, pose in enumerate(POSES, 1):
            console.say(f"pose {number} of {len(POSES)}, {pose.name}:")
            for step in pose.steps:
                console.say(f"  - {step}")
            console.ask("hold it there and press Enter")
            positions.append({joint.name: bus.read(joint.servo_id, "present_position") for joint in arm.joints})
        offsets = {joint.name: bus.read(joint.servo_id, "homing_offset") for joint in arm.joints}
    verdicts = judge(arm, *positions)
    _report(verdicts, arm, offsets, console)
    return int(any(verdict.fault is not Fault.NONE for verdict in verdicts))


def _report(verdicts: list[Verdict], arm: ArmFile, offsets: dict[str, int], console: Console) -> None:
    console.say(f"  {'joint':<15}{'pose 1: expected, found':>26}{'pose 2: expected, found':>26}  (degrees)")
    for v in verdicts:
        cells = (
            f"{math.degrees(expected):.0f}, {math.degrees(found):.0f}"
            for expected, found in zip(v.expected_rad, v.found_rad, strict=True)
        )
        console.say(f"  {v.joint.name:<15}" + "".join(f"{cell:>26}" for cell in cells) + f"  {v.fault.value}")
    for v in verdicts:
        if v.fault is Fault.NONE:
            continue
        text = ADVICE[v.fault].format(
            ticks=v.zero_ticks - v.joint.zero_ticks, zero=v.zero_ticks, sign=v.sign, file=arm.path.name
        )
        console.say(f"problem: {v.joint.name}: {text}")
        held, told = offsets[v.joint.name], v.joint.homing_offset
        if told is not None and held != told:
            console.say(f"  of that {told - held}: the servo's homing_offset is {held}, {arm.path.name} says {told}")
    wrong = sum(v.fault is not Fault.NONE for v in verdicts)
    if not wrong:
        console.say(f"all joints are within {math.degrees(TOLERANCE_RAD):.0f} degrees of the description")
