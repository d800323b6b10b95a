"""One port looked at: is it an arm, which servos answer, and what do their registers hold. Writes nothing."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from so100_hardware._bus import (
    Bus,
    BusError,
    NotASerialPortError,
    PortInUseError,
    PortNotFoundError,
    PortPermissionError,
)
from so100_hardware.workshop.diagnosis import diagnose, servo_name
from so100_hardware.workshop.finding import Finding, Severity
from so100_hardware.workshop.serial_ports import serial_ports
from so100_hardware.workshop.servo_readings import Readings, read_servo
from so100_hardware.workshop.servo_search import (
    BAUD_RATES,
    LISTEN_S,
    PATIENCE_S,
    Listening,
    ReplyQuality,
    answering,
    listen_everywhere,
    reply_quality,
    words_of,
)

PORT_KINDS: dict[type[BusError], str] = {
    NotASerialPortError: "not_a_serial_port",
    PortInUseError: "port_in_use",
}


@dataclass
class Examination:
    """What was found on one port. `servos` is servo id -> readings of those that could be read."""

    port: str
    baud_rate: int
    servos: dict[int, Readings] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def looked(self) -> bool:
        """Whether any servo could be examined."""
        return bool(self.servos)

    def add(self, kind: str, subject: str, found: str, remedy: str) -> None:
        self.findings.append(Finding(Severity.PROBLEM, kind, subject, found, remedy))


def examine(
    port: str,
    baud_rate: int,
    servo_ids: Mapping[str, int],
    window_s: float = LISTEN_S,
    progress: Callable[[str], None] = lambda text: None,
) -> Examination:
    """Looks for the joints' servos on a port and reads them. What goes wrong becomes findings.

    `servo_ids` is joint name -> servo id; `window_s` is how long a broadcast ping waits for answers.
    """
    examination = Examination(port, baud_rate)
    names = {servo_id: name for name, servo_id in servo_ids.items()}
    try:
        _examine(examination, names, window_s, progress)
    except PortNotFoundError:
        examination.findings.append(_not_found(port))
    except PortPermissionError:
        examination.findings.append(_no_permission(port))
    except BusError as error:
        found, _, remedy = str(error).removeprefix(f"{port}: ").partition(". ")
        kind = PORT_KINDS.get(type(error), "bus")
        examination.add(kind, port, found, remedy or "look at the cable and the power, and try again")
    return examination


def _examine(
    examination: Examination, names: Mapping[int, str], window_s: float, progress: Callable[[str], None]
) -> None:
    present = _answering(examination, list(names))
    heard: list[Listening] = []
    if len(present) < len(names):
        silent = "no servo answers" if not present else "not every servo answers"
        progress(f"{silent}: listening at {len(BAUD_RATES)} baud rates")
        heard = listen_everywhere(examination.port, window_s)
        present = _follow(examination, names, present, heard)
    quality = {
        i: reply_quality(examination.port, examination.baud_rate, i, present=i in present)
        for i in sorted({*present, *names})
    }
    doubled = _doubled(quality, present)
    with Bus(examination.port, examination.baud_rate, reply_timeout_s=PATIENCE_S, retries=3) as bus:
        for servo_id in present:
            if servo_id not in doubled:
                examination.servos[servo_id] = read_servo(bus, servo_id)
    missing = [i for i in names if i not in present and i not in doubled]
    if not present and not doubled:
        _tell_no_servos(examination, heard)
        return
    _tell_quality(examination, names, quality, doubled, missing)
    if missing:
        _tell_missing(examination, names, missing, heard)
    for servo_id in sorted(set(examination.servos) - set(names)):
        examination.add(
            "unexpected_id",
            servo_name(servo_id, names),
            f"answers, though the arm has none of that id, only {_listed(names)}",
            "give it its id with `so100 setup-motors`; if it is another arm's, take it off the chain",
        )
    examination.findings += diagnose(examination.servos, names)


def _answering(examination: Examination, servo_ids: list[int]) -> list[int]:
    with Bus(examination.port, examination.baud_rate) as bus:
        return answering(bus, servo_ids)


def _follow(
    examination: Examination, names: Mapping[int, str], present: list[int], heard: list[Listening]
) -> list[int]:
    """The servos to examine: those that were heard too, at another baud rate where none is at the asked one."""
    at_rate = {listening.baud_rate: sorted(listening.replies) for listening in heard}
    asked_rate = examination.baud_rate
    if not present and not at_rate.get(asked_rate):
        for baud_rate, servo_ids in at_rate.items():
            if servo_ids:
                examination.baud_rate = baud_rate
                examination.add(
                    "baud_rate",
                    examination.port,
                    f"servos {', '.join(map(str, servo_ids))} answer at {baud_rate} baud, none at {asked_rate}",
                    f"give --baud-rate {baud_rate} and bus.baud_rate in the embodiment file, or set them to "
                    f"{asked_rate} one by one with `so100 setup-motors`",
                )
                break
    return sorted({*present, *at_rate.get(examination.baud_rate, [])})


def _doubled(quality: Mapping[int, ReplyQuality], present: list[int]) -> list[int]:
    """Ids whose replies are garbled while others' are not: on a noisy line all are."""
    garbled = [servo_id for servo_id, q in quality.items() if q.garbled]
    clean = [servo_id for servo_id in present if servo_id not in garbled]
    return garbled if clean or len(garbled) == 1 else []


def _tell_quality(
    examination: Examination,
    names: Mapping[int, str],
    quality: Mapping[int, ReplyQuality],
    doubled: list[int],
    missing: list[int],
) -> None:
    for servo_id, q in quality.items():
        name = servo_name(servo_id, names)
        if servo_id in doubled:
            lacking = f"; {', '.join(servo_name(i, names) for i in missing)} is missing" if missing else ""
            examination.add(
                "equal_ids",
                name,
                f"{q.disturbed} of {q.tries} replies were garbled or came twice, while other servos answer "
                f"cleanly: two servos have this id{lacking}",
                "connect the servos one at a time and give each its id: `so100 setup-motors`",
            )
        elif servo_id in examination.servos and (q.garbled or q.unreliable):
            examination.add(
                "bad_line",
                name,
                f"{q.failed} of {q.tries} replies were missing, {q.disturbed} came with garbage",
                "look at the cables and plugs from the board to this servo; let no other program use the port",
            )


def _tell_missing(
    examination: Examination, names: Mapping[int, str], missing: list[int], heard: list[Listening]
) -> None:
    for servo_id in missing:
        elsewhere = [
            listening.baud_rate
            for listening in heard
            if servo_id in listening.replies and listening.baud_rate != examination.baud_rate
        ]
        if elsewhere:
            found = f"does not answer at {examination.baud_rate} baud, but at {elsewhere[0]}"
            remedy = f"set its baud rate: `so100 setup-motors --joint {names[servo_id]}`"
        else:
            found = f"does not answer, {len(examination.servos)} others do"
            remedy = (
                "push in its plug and that of the servo before it in the chain; if it was never set up, "
                f"`so100 setup-motors --joint {names[servo_id]}`"
            )
        kind = "baud_rate" if elsewhere else "missing_servo"
        examination.add(kind, servo_name(servo_id, names), found, remedy)


def _tell_no_servos(examination: Examination, heard: list[Listening]) -> None:
    port = examination.port
    words = words_of(port)
    if words:
        examination.add(
            "not_servos",
            port,
            f'answers in words ("{words[:60]}"): a modem, a GPS receiver, a printer, but no servo bus',
            "name the arm's port with --port; `so100 doctor` without --port lists them all",
        )
    elif garbage := sum(listening.garbage_bytes for listening in heard):
        examination.add(
            "not_servos",
            port,
            f"{garbage} bytes came at {len(heard)} baud rates, none of them a servo's reply",
            "if this is the arm's port, look at the board's wiring and jumpers; else name the arm's port with --port",
        )
    else:
        examination.add(
            "no_servos",
            port,
            f"nothing answers at any of {len(heard)} baud rates",
            "switch on the arm's power supply (USB does not feed the servos), push in the first servo's plug; or name "
            "the arm's port with --port",
        )


def _listed(names: Mapping[int, str]) -> str:
    return ", ".join(str(servo_id) for servo_id in names)


def _not_found(port: str) -> Finding:
    others = ", ".join(p.lasting_path for p in serial_ports())
    remedy = f"name one that is there: {others}" if others else "no serial port is plugged in: connect the board by USB"
    return Finding(Severity.PROBLEM, "port_not_found", port, "no such device", remedy)


def _no_permission(port: str) -> Finding:
    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    return Finding(
        Severity.PROBLEM,
        "port_permission",
        port,
        f"permission denied: only root and the group {group} may open it",
        f"`sudo usermod -aG {group} $USER`, then log out and in again; or install a rule: `so100 udev`",
    )
