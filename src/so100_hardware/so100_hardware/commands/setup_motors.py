"""`so100 setup-motors`: gives each servo its id, one connected at a time. See docs/so100_command.md."""

from __future__ import annotations

import argparse

from so100_hardware.commands.arm_options import add_arm_option, add_port_options, arm_choice
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.workshop.servo_search import BAUD_RATES, LISTEN_S
from so100_hardware.workshop.single_servo import FoundServo, NotOneServoError, assign, find_single_servo


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "setup-motors",
        help="gives each servo its id, one connected at a time",
        description="Asks for one servo after the other, the gripper's first, finds it at whatever id and baud rate it "
        "has, and writes the joint's id and the arm's baud rate to its EEPROM. Nothing while more than one answers.",
    )
    add_port_options(parser)
    add_arm_option(parser)
    parser.add_argument("--joint", action="append", metavar="NAME", help="only this joint; may be given again")
    parser.set_defaults(command=setup_motors)


def setup_motors(options: argparse.Namespace, console: Console) -> int:
    arm = arm_choice(options, options.port)
    if arm.baud_rate not in BAUD_RATES:
        raise CommandError(f"--baud-rate: expected one of {', '.join(map(str, BAUD_RATES))}, found {arm.baud_rate}")
    joints = options.joint or list(reversed(arm.servo_ids))
    for joint in joints:
        if joint not in arm.servo_ids:
            raise CommandError(f"--joint: expected one of {', '.join(arm.servo_ids)}, found {joint}")
    done = sum(_set_up(joint, FoundServo(arm.servo_ids[joint], arm.baud_rate), arm.port, console) for joint in joints)
    console.say(f"{done} of {len(joints)} servos set up" + (": connect them all, then `so100 doctor`" if done else ""))
    return 0 if done == len(joints) else 1


def _set_up(joint: str, target: FoundServo, port: str, console: Console) -> bool:
    """One joint, asked for until one servo is there; False where the operator skips it."""
    while True:
        answer = console.ask(f"connect the servo of {joint} alone to the board, then press Enter (s: skip it)")
        if answer.lower() == "s":
            return False
        try:
            servo = find_single_servo(port, LISTEN_S)
            break
        except NotOneServoError as error:
            console.say(f"  {error}")
    if servo == target:
        console.say(f"  {joint}: has id {servo.servo_id} at {servo.baud_rate} baud already")
        return True
    assign(port, servo, target)
    console.say(
        f"  {joint}: id {servo.servo_id} at {servo.baud_rate} baud is now id {target.servo_id} at {target.baud_rate}"
    )
    return True
