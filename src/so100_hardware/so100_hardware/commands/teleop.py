"""`so100 teleop`: a leader arm leads a follower arm. See docs/so100_command.md."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from so100_hardware._bus import Arm, Bus, NoReplyError
from so100_hardware.arm_file import ArmFile
from so100_hardware.commands.arm_options import calibrated_choice
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.commands.releasing import release
from so100_hardware.workshop.servo_check import check_offsets, check_servos
from so100_hardware.workshop.teleoperation import LeaderFollower

ARRIVED_RAD = 0.05


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "teleop",
        help="a leader arm leads a follower arm",
        description="The follower goes to the leader's pose and then where the leader is moved to, no faster than "
        "--slew. It holds its place while the leader is silent. Enter ends it, and lets the follower go.",
    )
    for arm in ("leader", "follower"):
        parser.add_argument(f"--{arm}", required=True, metavar="DEVICE", help=f"the {arm}'s serial port")
        parser.add_argument(f"--{arm}-arm", type=Path, metavar="FILE", help=f"the {arm}'s embodiment file")
        parser.add_argument(f"--{arm}-calibration", type=Path, metavar="FILE", help=f"LeRobot's file of the {arm}")
    parser.add_argument("--rate", type=_number(1, 500), default=100.0, help="cycles a second (default: %(default)g)")
    parser.add_argument("--slew", type=_number(0.05, 10), default=2.0, help="rad/s at most (default: %(default)g)")
    parser.add_argument(
        "--timeout", type=_number(0.02, 10), default=0.2, help="s of silence after which to hold (default: %(default)g)"
    )
    parser.add_argument("--hold", action="store_true", help="leave the follower's torque on at the end")
    parser.set_defaults(command=teleop)


def teleop(options: argparse.Namespace, console: Console) -> int:
    leader = calibrated_choice(options.leader_arm, options.leader_calibration)
    follower = calibrated_choice(options.follower_arm, options.follower_calibration)
    missing = sorted(set(follower.servo_ids) - set(leader.servo_ids))
    if missing:
        raise CommandError(f"{leader.path}: expected the follower's joints, found no {', '.join(missing)}")
    with Bus(options.leader, leader.baud_rate, reply_timeout_s=0.02, retries=1) as bus:
        check_servos(bus, leader.servo_ids)
        check_offsets(bus, leader.joints)
        release(bus, leader.servo_ids, console)
        arm = Arm(follower.config(options.follower, follower.baud_rate, not options.hold))
        try:
            arm.open(console.now_s())
            arm.activate(console.now_s())
            return _lead(bus, leader, arm, follower, options, console)
        finally:
            # Also when the leader fell off or the operator interrupted: nobody leads any more.
            arm.deactivate()
            arm.close()


def _lead(bus: Bus, leader: ArmFile, arm: Arm, follower: ArmFile, options: argparse.Namespace, console: Console) -> int:
    ids = list(leader.servo_ids.values())
    now_s = console.now_s()
    pair = LeaderFollower(leader, follower, arm.state.position_rad, options.slew, options.timeout, now_s)
    console.say(f"the follower goes to the leader's pose at {options.slew:g} rad/s and follows it; Enter ends it")
    held = False
    while not console.enter_pressed():
        next_s = now_s + 1.0 / options.rate
        try:
            positions = bus.sync_read(ids, "present_position")
        except NoReplyError:
            positions = None
        now_s = console.now_s()
        state = arm.read(now_s)
        if arm.lost:
            console.say(f"{options.follower}: {arm.lost_text}")
            return 2
        arm.write(pair.step(positions, now_s), now_s)
        if pair.silent(now_s) != held:
            held = not held
            console.say("the leader is silent: the follower holds" if held else "the leader is back")
        shown = "holding" if held else "approaching" if pair.distance_rad > ARRIVED_RAD else "following"
        angles = "".join(f"{math.degrees(rad):>8.1f}" for rad in state.position_rad)
        console.show_live([f"  {shown:<12}{angles}"])
        console.sleep(max(0.0, next_s - console.now_s()))
    return 0


def _number(lowest: float, highest: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"expected {lowest:g} to {highest:g}, found {text}")
        return value

    return number
