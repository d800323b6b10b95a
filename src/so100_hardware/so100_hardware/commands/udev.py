"""`so100 udev`: a rule that gives the arm's port a lasting name. See docs/so100_command.md."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from so100_hardware.commands.arm_options import refuse_to_overwrite, write_text
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.workshop.serial_ports import serial_ports, usb_adapter
from so100_hardware.workshop.udev_rule import RULES_FOLDER, udev_rule


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "udev",
        help="a rule that gives the arm's port a lasting name",
        description="Prints a udev rule that makes /dev/NAME out of the serial number of the arm's USB adapter, and "
        "what to do to install it. Installs nothing.",
    )
    parser.add_argument("--port", required=True, metavar="DEVICE", help="where the arm is now, e.g. /dev/ttyACM0")
    parser.add_argument("--name", default="so100_follower", help="the name in /dev (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the rule to this file")
    parser.add_argument("--force", action="store_true", help="replace the output where it is there already")
    parser.set_defaults(command=udev)


def udev(options: argparse.Namespace, console: Console) -> int:
    rule = _rule(options.port, options.name)
    file = options.output or Path(f"70-{options.name}.rules")
    if options.output:
        refuse_to_overwrite(options.output, options.force)
        write_text(options.output, rule + "\n")
    console.say(rule)
    console.say()
    console.say("# install it:" if options.output else f"# save the line above as {file}, or give -o {file}; then")
    console.say(f"sudo cp {file} {RULES_FOLDER}/70-{options.name}.rules")
    console.say("sudo udevadm control --reload")
    console.say("sudo udevadm trigger --subsystem-match=tty")
    return 0


def _rule(port: str, name: str) -> str:
    device = Path(os.path.realpath(port))
    if not device.exists():
        there = ", ".join(p.device for p in serial_ports()) or "none; connect the arm's board by USB"
        raise CommandError(f"{port}: no such device. Ports that are there: {there}")
    adapter = usb_adapter(device.name)
    if adapter is None:
        raise CommandError(f"{port}: expected the port of a USB adapter, found none behind it")
    if not adapter.serial:
        raise CommandError(
            f"{port}: its adapter ({adapter.name or adapter.vendor}) has no serial number, so no rule can tell it from "
            "another one: use the name of its socket in /dev/serial/by-path as usb_port"
        )
    others = (p for p in serial_ports() if p.device != str(device))
    twins = [p.device for p in others if p.adapter and p.adapter.serial == adapter.serial]
    if twins:
        raise CommandError(
            f"{port}: its serial number {adapter.serial} is that of {', '.join(twins)} too: use the name of its socket "
            "in /dev/serial/by-path as usb_port"
        )
    try:
        return udev_rule(adapter, name)
    except ValueError as error:
        raise CommandError(f"--name: {error}") from None
