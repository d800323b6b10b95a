"""Devices on a pseudo-terminal that are no virtual bus: what comes in goes to a function, what it returns goes out."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from so100_hardware import REGISTERS, PacketParser, encode_packet

PING, READ = 1, 2


@contextmanager
def scripted_port(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """The path of a port behind which `answer` sits."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    ended, end = os.pipe()

    def serve() -> None:
        while True:
            ready, _, _ = select.select([master, ended], [], [])
            if ended in ready:
                return
            if reply := answer(os.read(master, 1000)):
                os.write(master, reply)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.write(end, b"x")
        thread.join()
        for fd in (master, slave, ended, end):
            os.close(fd)


def modem(received: bytes) -> bytes:
    return b"\r\nOK\r\n" if b"AT\r" in received else b""


@dataclass
class CollidingServos:
    """Servos of which some share an id. Their replies come one behind the other, or on top of each other."""

    positions: list[tuple[int, int]]  # (servo id, present position)
    on_top: bool
    parser: PacketParser = field(default_factory=PacketParser)

    def answer(self, received: bytes) -> bytes:
        self.parser.push(received)
        out = b""
        while packet := self.parser.next():
            servo_id, code, parameters = packet
            if servo_id == 254 and code == PING:
                out += b"".join(self._together([encode_packet(i, 0) for i, _ in self._with(n)]) for n in self._ids())
            elif code == PING:
                out += self._together([encode_packet(i, 0) for i, _ in self._with(servo_id)])
            elif code == READ:
                replies = [
                    encode_packet(i, 0, self._memory(i, position)[parameters[0] : parameters[0] + parameters[1]])
                    for i, position in self._with(servo_id)
                ]
                out += self._together(replies)
        return out

    def _ids(self) -> list[int]:
        return sorted({servo_id for servo_id, _ in self.positions})

    def _with(self, servo_id: int) -> list[tuple[int, int]]:
        return [servo for servo in self.positions if servo[0] == servo_id]

    def _together(self, replies: list[bytes]) -> bytes:
        if not self.on_top:
            return b"".join(replies)
        # a line that any servo can pull low
        return bytes(min(column) & max(column) for column in zip(*replies, strict=True)) if replies else b""

    def _memory(self, servo_id: int, position: int) -> bytes:
        memory = bytearray(256)
        for register in REGISTERS.values():
            value = {"id": servo_id, "present_position": position}.get(register.name, register.initial)
            memory[register.address : register.address + register.size] = value.to_bytes(register.size, "little")
        return bytes(memory)
