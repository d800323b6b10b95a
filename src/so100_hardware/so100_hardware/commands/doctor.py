"""`so100 doctor`: what is wrong with the arm and its port, and what to do. See docs/so100_command.md.

Ends with 0 where all is well, 1 where it found problems, 2 where no servo could be looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from so100_hardware._bus import Bus
from so100_hardware.calibration import load_calibration
from so100_hardware.commands.arm_options import add_arm_option, add_port_options, arm_choice
from so100_hardware.commands.console import Console
from so100_hardware.workshop.diagnosis import diagnose_calibration
from so100_hardware.workshop.eeprom import write_eeprom
from so100_hardware.workshop.finding import Finding, Severity
from so100_hardware.workshop.port_examination import Examination, examine
from so100_hardware.workshop.serial_ports import SerialPort, serial_ports
from so100_hardware.workshop.servo_readings import in_unit
from so100_hardware.workshop.servo_search import LISTEN_S


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "doctor",
        help="what is wrong with the arm and its port, and what to do",
        description="Looks at the port, the servos and their registers. Writes nothing, unless --fix is given: then "
        "the named registers, after asking. Ends with 0: all well, 1: problems, 2: no servo could be looked at.",
    )
    add_port_options(parser, required=False)
    add_arm_option(parser)
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="check whether this file is the arm's")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--fix", action="store_true", help="offer to set return_delay_time to 0 and phase to one turn")
    parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")
    parser.set_defaults(command=doctor)


def doctor(options: argparse.Namespace, console: Console) -> int:
    calibration = load_calibration(options.calibration) if options.calibration else None
    ports, left_alone = _ports(options.port)
    examinations = []
    for port in ports:
        arm = arm_choice(options, port)
        progress = (lambda text: None) if options.json else lambda text: console.say(f"{text} ...")
        examination = examine(port, arm.baud_rate, arm.servo_ids, LISTEN_S, progress)
        if calibration and examination.looked:
            names = {servo_id: name for name, servo_id in arm.servo_ids.items()}
            examination.findings += diagnose_calibration(examination.servos, names, calibration, options.calibration)
        examinations.append((examination, arm.servo_ids))
    code = exit_code([examination for examination, _ in examinations])
    if options.json:
        console.say(json.dumps(_as_json(examinations, left_alone, code), indent=2))
    else:
        _report(examinations, left_alone, console)
    if options.fix:
        for examination, _ in examinations:
            _fix(examination, options.yes, console)
    return code


def exit_code(examinations: list[Examination]) -> int:
    """A port without servos counts only where no other has any: it may well be another device's."""
    looked = [examination for examination in examinations if examination.looked]
    if not looked:
        return 2
    problems = (f for e in looked for f in e.findings if f.severity is Severity.PROBLEM)
    return int(any(problems))


def _ports(named: str | None) -> tuple[list[str], list[SerialPort]]:
    """(ports to look at, ports that are left alone because their chip is no servo board's)."""
    if named:
        return [named], []
    found = serial_ports()
    return [port.lasting_path for port in found if port.may_be_an_arm], [p for p in found if not p.may_be_an_arm]


def _as_json(examinations: list[tuple[Examination, dict[str, int]]], left_alone: list[SerialPort], code: int) -> Any:
    return {
        "exit_code": code,
        "ports": [
            {
                "port": examination.port,
                "baud_rate": examination.baud_rate,
                "servos": {str(servo_id): readings for servo_id, readings in examination.servos.items()},
                "expected": servo_ids,
                "findings": [finding.as_json() for finding in examination.findings],
            }
            for examination, servo_ids in examinations
        ],
        "left_alone": [port.device for port in left_alone],
    }


def _report(
    examinations: list[tuple[Examination, dict[str, int]]], left_alone: list[SerialPort], console: Console
) -> None:
    for port in left_alone:
        name = port.adapter.name if port.adapter and port.adapter.name else "no USB adapter of a servo board"
        console.say(f"{port.device}: {name}; left alone, name it with --port to look at it")
    if not examinations:
        console.say("no port to look at: connect the arm's board by USB, or name its port with --port")
    for examination, servo_ids in examinations:
        _report_one(examination, servo_ids, console)


def _report_one(examination: Examination, servo_ids: dict[str, int], console: Console) -> None:
    names = {servo_id: name for name, servo_id in servo_ids.items()}
    present = sum(servo_id in names for servo_id in examination.servos)
    console.say(f"{examination.port} at {examination.baud_rate} baud: {present} of {len(names)} servos read")
    if examination.servos:
        console.say(_row("id", "joint", "firmware", "position", "offset", "range", "V", "degC", "torque"))
    for servo_id, r in examination.servos.items():
        console.say(
            _row(
                servo_id,
                names.get(servo_id, "?"),
                f"{r['firmware_major_version']}.{r['firmware_minor_version']}",
                r["present_position"],
                r["homing_offset"],
                f"{r['min_position_limit']}..{r['max_position_limit']}",
                f"{in_unit(r, 'present_voltage'):.1f}",
                r["present_temperature"],
                "on" if r["torque_enable"] else "off",
            )
        )
    problems = 0
    for severity in (Severity.PROBLEM, Severity.NOTE):
        for alike in _alike(f for f in examination.findings if f.severity is severity):
            problems += severity is Severity.PROBLEM
            console.say(f"{severity.value}: {_subjects(alike)}: {alike[0].found}")
            if alike[0].remedy:
                console.say(f"  -> {alike[0].remedy}")
    console.say("all is well" if not problems else f"{problems} problem{'s' * (problems > 1)}")


def _row(*cells: object) -> str:
    servo_id, joint, firmware, *numbers, torque = cells
    widths = (10, 8, 12, 7, 6)
    columns = "".join(f"{cell!s:>{width}}" for cell, width in zip(numbers, widths, strict=True))
    return f"  {servo_id!s:<4}{joint!s:<15}{firmware!s:<8}{columns}  {torque}"


def _alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Those that say the same of several servos, together."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.found, finding.remedy), []).append(finding)
    return list(groups.values())


def _subjects(alike: list[Finding]) -> str:
    return ", ".join([alike[0].subject, *(finding.subject.removeprefix("servo ") for finding in alike[1:])])


def _fix(examination: Examination, yes: bool, console: Console) -> None:
    fixes = [finding.fix for finding in examination.findings if finding.fix]
    if not fixes:
        console.say("nothing that --fix could write")
        return
    held = sorted({fix.servo_id for fix in fixes if examination.servos[fix.servo_id]["torque_enable"]})
    if held:
        console.say(
            f"torque is on at servos {', '.join(map(str, held))}: stop what drives the arm; nothing was written"
        )
        return
    for fix in fixes:
        console.say(f"would write servo {fix.servo_id}: {fix.register} {fix.before} -> {fix.after} (EEPROM)")
    if not yes and not console.confirm(f"write these {len(fixes)} registers?"):
        console.say("nothing was written")
        return
    with Bus(examination.port, examination.baud_rate, retries=3) as bus:
        for fix in fixes:
            write_eeprom(bus, fix.servo_id, {fix.register: fix.after})
    console.say(f"wrote {len(fixes)} registers, read back and found right")
