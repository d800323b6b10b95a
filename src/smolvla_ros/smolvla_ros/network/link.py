"""A link between two network interfaces that delays, loses and breaks: what Linux's netem does, without its module.

A bridge in this process: Ethernet frames are read from each interface by a packet socket and written to the other.
"""

from __future__ import annotations

import collections
import random
import select
import socket
import threading
import time
from dataclasses import dataclass

ETH_P_ALL, PACKET_OUTGOING = 0x0003, 4
FRAME_BYTES, BUFFER_BYTES = 65536, 4 << 20
LONGEST_WAIT_S = 0.05


@dataclass(frozen=True)
class Conditions:
    """delay_s: one way, on top of the host's own. loss: share of frames, of each way. broken: no frame passes."""

    delay_s: float = 0.0
    loss: float = 0.0
    broken: bool = False


class LossyLine:
    """One direction. State: the frames under way; those of a line that breaks are lost, too."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._under_way: collections.deque[tuple[float, bytes]] = collections.deque()
        self.passed = self.lost = self.bytes = 0

    def put(self, frame: bytes, now_s: float, conditions: Conditions) -> None:
        if conditions.broken or self._random.random() < conditions.loss:
            self.lost += 1
        else:
            self._under_way.append((now_s + conditions.delay_s, frame))

    def arrived(self, now_s: float, conditions: Conditions) -> list[bytes]:
        """Frames whose time has come, in the order in which they were sent."""
        if conditions.broken:
            self.lost += len(self._under_way)
            self._under_way.clear()
        frames = []
        while self._under_way and self._under_way[0][0] <= now_s:
            frames.append(self._under_way.popleft()[1])
        self.passed += len(frames)
        self.bytes += sum(map(len, frames))
        return frames

    @property
    def next_s(self) -> float:
        """When the next frame arrives; inf where none is under way."""
        return self._under_way[0][0] if self._under_way else float("inf")


class Link:
    """Runs in a thread of its own until `close`; `conditions` may be set at any time by another."""

    def __init__(self, interfaces: tuple[str, str], conditions: Conditions, seed: int = 0) -> None:
        self.conditions = conditions
        self._sockets = tuple(_packet_socket(interface) for interface in interfaces)
        self.lines = (LossyLine(seed), LossyLine(seed + 1))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            due_s = min(line.next_s for line in self.lines) - time.monotonic()
            ready, _, _ = select.select(self._sockets, [], [], min(max(due_s, 0.0), LONGEST_WAIT_S))
            for source, line in zip(self._sockets, self.lines, strict=True):
                if source in ready:
                    self._read(source, line)
            for target, line in zip(reversed(self._sockets), self.lines, strict=True):
                for frame in line.arrived(time.monotonic(), self.conditions):
                    self._write(target, frame, line)

    def _read(self, source: socket.socket, line: LossyLine) -> None:
        now_s = time.monotonic()
        while True:
            try:
                frame, address = source.recvfrom(FRAME_BYTES)
            except BlockingIOError:
                return
            if address[2] != PACKET_OUTGOING:  # what this link has written itself
                line.put(frame, now_s, self.conditions)

    def _write(self, target: socket.socket, frame: bytes, line: LossyLine) -> None:
        try:
            target.send(frame)
        except OSError:  # full, or longer than the interface takes: lost, as on a wire
            line.passed -= 1
            line.lost += 1


def _packet_socket(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    made.bind((interface, 0))
    made.setblocking(False)
    return made
