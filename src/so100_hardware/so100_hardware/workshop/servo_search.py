"""Who answers on a port: the expected servos, others, at which baud rate, and whether two share an id.

Writes nothing to a servo. Opens the port anew for each baud rate.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty
from collections.abc import Sequence
from dataclasses import dataclass

from so100_hardware._bus import Bus, NoReplyError

# By the code in the servos' register baud_rate.
BAUD_RATES = (1_000_000, 500_000, 250_000, 128_000, 115_200, 57_600, 38_400, 19_200)
# Servos answer a broadcast ping in turn, about 3 ms for each possible id.
LISTEN_S = 0.8
PATIENCE_S = 0.1  # for a reply of a servo that is known to be there
# Of this many requests a lone servo on a sound cable fails none or one.
TRIES = 12
GARBLED_SHARE = 0.25


@dataclass(frozen=True)
class Listening:
    """What a broadcast ping brought at one baud rate."""

    baud_rate: int
    replies: dict[int, int]  # servo id -> how many replies came
    garbage_bytes: int


@dataclass(frozen=True)
class ReplyQuality:
    """How a servo answered `tries` requests that were not repeated."""

    tries: int
    failed: int  # no valid reply
    disturbed: int  # requests beside which bytes came that were no valid reply to it

    @property
    def garbled(self) -> bool:
        return self.disturbed > GARBLED_SHARE * self.tries

    @property
    def unreliable(self) -> bool:
        return self.failed > GARBLED_SHARE * self.tries


def listen(port: str, baud_rate: int, window_s: float = LISTEN_S) -> Listening:
    """One broadcast ping, two where none answers: the first packet after opening may get lost. Raises BusError."""
    with Bus(port, baud_rate) as bus:
        replies = bus.ping_all(window_s) or bus.ping_all(window_s)
        counters = bus.counters
        return Listening(baud_rate, replies, counters.discarded_bytes + 6 * counters.foreign_packets)


def listen_everywhere(port: str, window_s: float = LISTEN_S) -> list[Listening]:
    """At every baud rate that the servos have. Raises BusError."""
    return [listen(port, baud_rate, window_s) for baud_rate in BAUD_RATES]


def answering(bus: Bus, servo_ids: Sequence[int]) -> list[int]:
    """Those that answer a ping of their own, asked three times. Raises BusError but for silence."""
    present: set[int] = set()
    for _ in range(3):
        for servo_id in servo_ids:
            if servo_id not in present:
                with contextlib.suppress(NoReplyError):
                    bus.ping(servo_id)
                    present.add(servo_id)
    return [servo_id for servo_id in servo_ids if servo_id in present]


def reply_quality(port: str, baud_rate: int, servo_id: int, *, present: bool) -> ReplyQuality:
    """Asks the same servo again and again: the replies of two with one id collide, or come one behind the other.

    A `present` servo has been heard, and is waited for longer: a busy host is no bad line. Raises BusError but for a
    missing reply.
    """
    with Bus(port, baud_rate, reply_timeout_s=PATIENCE_S if present else 0.02, retries=0) as bus:
        # Registers in which two servos are hardly ever alike. The first packet after opening may get lost, and the last
        # request only finds what came behind the reply before it.
        registers = ["model_number", *("present_position", "homing_offset", "present_current") * (TRIES // 3), "id"]
        failed = disturbed = 0
        noise_before = 0
        for i, register in enumerate(registers):
            answered = True
            try:
                bus.read(servo_id, register)
            except NoReplyError:
                answered = False
            time.sleep(0.002)  # a second reply is on its way; the next request finds it
            counters = bus.counters
            noise = counters.discarded_bytes + counters.checksum_errors + counters.foreign_packets
            failed += not answered and 0 < i <= TRIES
            disturbed += noise != noise_before and i > 1
            noise_before = noise
        return ReplyQuality(TRIES, failed, disturbed)


def words_of(port: str, wait_s: float = 0.4) -> str:
    """What a device that is no servo bus says when it is spoken to as a modem; '' for silence or no text.

    The port must not be open. An operating system's refusal counts as silence.
    """
    heard = b""
    try:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        tty.setraw(fd)
        termios.tcflush(fd, termios.TCIFLUSH)
        os.write(fd, b"\r\nAT\r\n")
        deadline = time.monotonic() + wait_s
        while len(heard) < 200 and (left := deadline - time.monotonic()) > 0:
            if select.select([fd], [], [], left)[0]:
                heard += os.read(fd, 200)
    except (OSError, termios.error):
        pass
    finally:
        os.close(fd)
    text = " ".join(heard.decode("ascii", "replace").split())
    printable = sum(character.isprintable() and character != "\ufffd" for character in text)
    return text if text and printable > 0.8 * len(text) else ""
