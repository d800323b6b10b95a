"""Time on the virtual bus: what bytes take, who waits for whom, and what a wrong baud rate looks like."""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Iterator

import pytest

from so100_hardware import Bus, NoReplyError, VirtualBus, encode_packet

IDS = (1, 2, 3, 4, 5, 6)
BYTE_S = 1e-5  # 10 bits at 1 Mbaud
SYNC_READ = encode_packet(0xFE, 0x82, bytes([56, 15, *IDS]))  # 14 bytes; 21 from each servo


@pytest.fixture
def timed() -> Iterator[VirtualBus]:
    """Servos that answer 20 us after a request, on a bus that keeps a wire's time."""
    with VirtualBus(wire_timing=True) as bus:
        for servo_id in IDS:
            bus.set(servo_id, "return_delay_time", 10)
        yield bus


def exchange(port: str, request: bytes, expected: int) -> tuple[float, list[bytes]]:
    """Seconds until the last byte, and what each read brought."""
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        started, pieces = time.monotonic(), []
        os.write(fd, request)
        while sum(map(len, pieces)) < expected:
            assert select.select([fd], [], [], 5.0)[0], f"only {pieces}"
            pieces.append(os.read(fd, 4096))
        return time.monotonic() - started, pieces
    finally:
        os.close(fd)


def test_bytes_take_ten_bit_times_and_replies_their_delay(timed: VirtualBus) -> None:
    own_s = (14 + 6 * 21) * BYTE_S + 6 * 20e-6
    took_s = [exchange(timed.port, SYNC_READ, 126)[0] for _ in range(30)]
    assert min(took_s) >= own_s
    assert min(took_s) < 1.2 * own_s  # at its best: the host may be busy


def test_the_capture_shows_one_sender_at_a_time(timed: VirtualBus) -> None:
    timed.capture()
    goals = encode_packet(0xFE, 0x83, bytes([42, 2, *(b for i in IDS for b in (i, 0, 8))]))
    exchange(timed.port, goals + SYNC_READ, 126)
    got = timed.take_captured()
    assert [c.to_servos for c in got] == [True] + [False] * 6
    assert got[0].bytes == goals + SYNC_READ
    assert all(c.bytes[2] == i and len(c.bytes) == 21 for c, i in zip(got[1:], IDS, strict=True))
    for c in got:
        assert c.end_s - c.begin_s == pytest.approx(BYTE_S * len(c.bytes))
    for before, after in itertools.pairwise(got):
        assert after.begin_s - before.end_s == pytest.approx(20e-6)
    assert timed.take_captured() == []
    timed.capture(False)
    exchange(timed.port, SYNC_READ, 126)
    assert timed.take_captured() == []


def test_a_request_waits_until_the_line_is_free(timed: VirtualBus) -> None:
    timed.capture()
    fd = os.open(timed.port, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(fd, encode_packet(0xFE, 0x83, bytes([42, 2]) + bytes(240)))  # takes 2.5 ms, has no reply
    finally:
        os.close(fd)
    exchange(timed.port, encode_packet(1, 1), 6)
    first, *_, reply = timed.take_captured()
    assert reply.begin_s - first.begin_s >= (248 + 6) * BYTE_S + 20e-6 - 1e-9


def test_without_timing_all_replies_come_in_one_piece(virtual: VirtualBus) -> None:
    for _ in range(20):
        assert len(exchange(virtual.port, SYNC_READ, 126)[1]) == 1


def test_a_slower_line_takes_longer(timed: VirtualBus) -> None:
    timed.set(1, "baud_rate", 7)
    with Bus(timed.port, 19200) as bus:
        started = time.monotonic()
        assert bus.read(1, "model_number") == 777
        assert time.monotonic() - started >= 16 * 10 / 19200
        with pytest.raises(NoReplyError):
            bus.ping(2)


def test_a_servo_understands_its_own_baud_rate_only(virtual: VirtualBus) -> None:
    with Bus(virtual.port, 115200) as bus, pytest.raises(NoReplyError):
        bus.ping(3)
    with Bus(virtual.port) as bus:
        bus.write(3, "lock", 0)
        bus.write(3, "baud_rate", 4)  # acknowledged at the old rate
        with pytest.raises(NoReplyError):
            bus.ping(3)
        assert bus.ping(2) == 0
    with Bus(virtual.port, 115200) as bus:
        assert bus.read(3, "baud_rate") == 4


def test_the_first_packet_after_each_open_is_lost_where_asked_for() -> None:
    with VirtualBus(first_packet_lost=True) as virtual:
        for _ in range(3):
            with Bus(virtual.port, retries=0, reply_timeout_s=0.1) as bus:
                with pytest.raises(NoReplyError):
                    bus.ping(1)
                assert bus.ping(1) == 0
                assert bus.ping(1) == 0
