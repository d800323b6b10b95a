"""The faults of the virtual bus, each as a program on the bus meets it, and what the records say of them."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from so100_hardware import Bus, BusError, NoReplyError, PacketParser, PortLostError, VirtualBus, encode_packet

IDS = (1, 2, 3, 4, 5, 6)
PING = encode_packet(3, 1)
PONG = encode_packet(3, 0)
READ = encode_packet(3, 2, b"\x38\x0f")  # position to current
BLOCK = 21


@pytest.fixture
def fd(virtual: VirtualBus) -> Iterator[int]:
    """The port as a plain program has it."""
    fd = os.open(virtual.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    yield fd
    os.close(fd)


def ask(fd: int, request: bytes = PING) -> bytes:
    """What comes until the reply to a last, untampered request of another servo."""
    end = encode_packet(1, 0)
    os.write(fd, request)
    os.write(fd, encode_packet(1, 1))
    got = b""
    while not got.endswith(end):
        assert select.select([fd], [], [], 5.0)[0], got
        got += os.read(fd, 4096)
    return got[: -len(end)]


def bits_of(a: bytes, b: bytes) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))


def answers(bus: Bus, servo_id: int) -> bool:
    try:
        bus.ping(servo_id)
    except NoReplyError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline


def test_flipped_bits(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("flip bits servo 3")
    assert [bits_of(ask(fd), PONG) for _ in range(20)] == [1] * 20
    virtual.inject_fault("clear\nflip 3 bits servo 3")
    assert {bits_of(ask(fd), PONG) for _ in range(20)} <= {3, 1}  # twice the same bit is none
    virtual.inject_fault("clear")
    assert ask(fd) == PONG


def test_lost_and_doubled_bytes(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("lose 2 bytes servo 3")
    assert len(ask(fd)) == 4
    virtual.inject_fault("clear\ndouble bytes servo 3")
    assert {len(ask(fd)) for _ in range(10)} == {7}


def test_lost_packets(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("lose packets servo 3 count 2")
    assert [ask(fd) for _ in range(3)] == [b"", b"", PONG]


def test_falsified_bits_come_with_the_right_checksum(virtual: VirtualBus, fd: int) -> None:
    truth = ask(fd, READ)
    virtual.inject_fault("falsify bits servo 3")
    for _ in range(20):
        got = ask(fd, READ)
        parser = PacketParser()
        parser.push(got)
        found = parser.next()
        assert found is not None
        assert bits_of(found[2], truth[5:-1]) == 1
    assert ask(fd) == PONG  # no data to falsify
    assert virtual.fault_counters["falsify bits"] == 20


def test_a_wrong_id_comes_with_the_right_checksum(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("wrong id servo 3 count 1")
    assert ask(fd) == encode_packet(4, 0)
    virtual.inject_fault("wrong id 77 servo 3 count 1")
    assert [ask(fd), ask(fd)] == [encode_packet(77, 0), PONG]


def test_foreign_bytes_and_packets_come_before_the_reply(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("foreign bytes 00 ff AA servo 3 count 1")
    assert ask(fd) == b"\x00\xff\xaa" + PONG
    virtual.inject_fault("foreign bytes servo 3 count 5")
    got = {ask(fd) for _ in range(5)}
    assert len(got) > 1
    assert all(g.endswith(PONG) and 1 <= len(g) - len(PONG) <= 8 for g in got)
    virtual.inject_fault("foreign packets servo 3 count 1")
    got = ask(fd, READ)
    parser = PacketParser()
    parser.push(got)
    first, second = parser.next(), parser.next()
    assert first is not None
    assert second is not None
    assert (first[0] in {1, 2, 4, 5, 6}, len(first[2]), second[0]) == (True, 15, 3)


def test_unasked_bytes_come_without_a_request(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("foreign bytes 01 02 unasked")
    assert select.select([fd], [], [], 5.0)[0]
    assert os.read(fd, 100) == b"\x01\x02"
    virtual.inject_fault("at 0.02 foreign packets unasked count 2")
    assert not select.select([fd], [], [], 0.0)[0]
    assert select.select([fd], [], [], 5.0)[0]
    assert len(os.read(fd, 100)) == 12
    assert ask(fd) == PONG


def test_a_late_reply_comes_after_those_to_later_requests(virtual: VirtualBus, fd: int) -> None:
    virtual.inject_fault("late replies by 0.05 servo 3 count 1")
    started = time.monotonic()
    assert ask(fd) == b""
    assert ask(fd, encode_packet(4, 1)) == encode_packet(4, 0)
    assert select.select([fd], [], [], 5.0)[0]
    assert time.monotonic() - started >= 0.05
    assert os.read(fd, 100) == PONG


def test_faults_in_requests_keep_a_servo_from_hearing_them(virtual: VirtualBus, fd: int) -> None:
    for fault in ("flip bits", "lose bytes", "lose packets"):
        virtual.inject_fault(f"{fault} in requests servo 3")
        assert ask(fd) == b""
        virtual.inject_fault("clear")
        assert ask(fd) == PONG


def test_a_falsified_request_is_taken_and_recorded_as_such(virtual: VirtualBus, fd: int) -> None:
    virtual.record()
    virtual.inject_fault("falsify bits in requests servo 3 count 1")
    sent = bytes([42, 0, 8])
    assert ask(fd, encode_packet(3, 3, sent)) == PONG
    assert ask(fd, encode_packet(3, 3, sent)) == PONG
    falsified, whole = virtual.take_writes()
    assert falsified.tampered
    assert bits_of(bytes([falsified.address]) + falsified.data, sent) == 1
    assert (whole.tampered, whole.address, whole.data) == (False, 42, b"\x00\x08")


def test_the_same_script_makes_the_same_faults() -> None:
    def run(seed: int) -> list[bytes]:
        with VirtualBus() as virtual:
            virtual.inject_fault(f"flip bits probability 0.3 seed {seed}\nlose bytes probability 0.2 seed {seed}")
            virtual.record()
            fd = os.open(virtual.port, os.O_RDWR | os.O_NOCTTY)
            os.write(fd, PING * 100)
            got = []
            while len(got) < 100:
                got += [r.sent for r in virtual.take_replies()]
            os.close(fd)
            return got

    first = run(1)
    assert first == run(1)
    assert first != run(2)
    assert 20 < sum(sent != PONG for sent in first) < 80


def test_a_mute_servo_is_back_after_its_time(virtual: VirtualBus) -> None:
    with Bus(virtual.port, retries=0, reply_timeout_s=0.05) as bus:
        virtual.inject_fault("at 0.5 mute servo 3 for 0.4\nmute servo 4 for 0.5")
        wait_for(lambda: answers(bus, 3))
        assert not answers(bus, 4)
        wait_for(lambda: not answers(bus, 3))
        wait_for(lambda: answers(bus, 2))
        wait_for(lambda: answers(bus, 3))
        wait_for(lambda: answers(bus, 4))
    events = {(e.what, e.kind, e.servo_id): e.time_s for e in virtual.take_fault_events()}
    assert set(events) == {(what, "mute", servo_id) for what in ("began", "ended") for servo_id in (3, 4)}
    assert events["began", "mute", 3] - events["began", "mute", 4] == pytest.approx(0.5, abs=1e-6)
    assert events["ended", "mute", 3] - events["began", "mute", 3] == pytest.approx(0.4, abs=1e-6)
    assert virtual.fault_counters["mute"] == 2


def test_clearing_ends_what_was_said_before_for_the_servos_named(bus: Bus, virtual: VirtualBus) -> None:
    virtual.inject_fault("mute\nat 100 stall")
    virtual.inject_fault("clear servo 2")
    assert bus.ping(2) == 0
    with pytest.raises(NoReplyError):
        bus.ping(3)
    virtual.inject_fault("clear mute\nmute servo 5")
    assert bus.ping(3) == 0
    with pytest.raises(NoReplyError):
        bus.ping(5)


def test_a_brown_out_reboots_all(bus: Bus, virtual: VirtualBus) -> None:
    for servo_id in IDS:
        bus.write(servo_id, "torque_enable", 1)
    virtual.inject_fault("brown-out for 0.3")
    with pytest.raises(NoReplyError):
        bus.ping(3)
    wait_for(lambda: all(answers(bus, i) for i in IDS))
    assert set(bus.sync_read(IDS, "torque_enable").values()) == {0}
    virtual.inject_fault("voltage to 3 servo 2 for 0.01")  # too little for one servo's controller
    assert virtual.get(2, "present_voltage") == 30


def test_an_overload_lasts_until_it_is_over_and_torque_is_written(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(3, "torque_enable", 1)
    virtual.inject_fault("overload servo 3")
    assert (bus.ping(3), bus.ping(2)) == (32, 0)
    bus.write(3, "torque_enable", 1)
    assert bus.ping(3) == 32
    virtual.inject_fault("clear")
    assert bus.ping(3) == 32
    bus.write(3, "torque_enable", 1)
    assert bus.ping(3) == 0


def test_an_overheated_servo_lets_go_and_is_as_warm_as_before_afterwards(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(3, "torque_enable", 1)
    virtual.inject_fault("overheat servo 3 to 82")
    assert (bus.ping(3), bus.read(3, "present_temperature"), bus.read(3, "torque_enable")) == (4, 82, 0)
    virtual.inject_fault("clear")
    assert (bus.ping(3), bus.read(3, "present_temperature"), bus.read(3, "torque_enable")) == (0, 30, 0)


def test_two_servos_with_one_id_talk_over_each_other(virtual: VirtualBus) -> None:
    virtual.inject_fault("take id 3 servo 4")
    with Bus(virtual.port, retries=0, reply_timeout_s=0.05) as bus:
        for servo_id in (3, 4):
            with pytest.raises(BusError):
                bus.ping(servo_id)
        assert bus.counters.discarded_bytes > 0  # something was there, but no packet
        bus.sync_write("goal_position", {3: 1234})
        assert bus.ping(1) == 0
        assert [virtual.get(i, "goal_position") for i in (3, 4)] == [1234, 1234]
        virtual.inject_fault("clear")
        assert [bus.ping(i) for i in (3, 4)] == [0, 0]


def test_unplugged_and_plugged_in_again_it_has_another_name(tmp_path: Path) -> None:
    link = tmp_path / "arm"
    with VirtualBus(link=str(link)) as virtual:
        old = virtual.port
        with Bus(str(link)) as bus:
            bus.write(2, "lock", 0)
            bus.write(2, "torque_enable", 1)
            virtual.inject_fault("unplug for 0.3")
            assert virtual.port == ""
            assert not link.is_symlink()
            with pytest.raises(PortLostError):
                bus.ping(1)
        wait_for(link.is_symlink)
        assert virtual.port == os.readlink(link) != old
        with Bus(str(link)) as bus:
            assert (bus.read(2, "lock"), bus.read(2, "torque_enable")) == (0, 1)  # the servos kept their power
        virtual.inject_fault("unplug without link")
        virtual.inject_fault("clear unplug")
        assert not link.is_symlink()
        with Bus(virtual.port) as bus:
            assert bus.ping(1) == 0
        virtual.inject_fault("unplug")
        virtual.inject_fault("clear unplug")
        assert os.readlink(link) == virtual.port
    assert not link.is_symlink()
