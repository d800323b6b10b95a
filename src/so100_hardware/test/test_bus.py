from __future__ import annotations

import contextlib
import threading
import time

import pytest

from so100_hardware import BadRequestError, Bus, NoReplyError, PortLostError, VirtualBus, encode_packet

from_all = (1, 2, 3, 4, 5, 6)


def before_a_reply(noise: bytes) -> str:
    return f"foreign bytes {noise.hex(' ')} count 1"


def test_reads_and_writes_are_signed_where_the_register_is(bus: Bus, virtual: VirtualBus) -> None:
    virtual.exchange([2000.0] * 6, [-150.0] * 6, [-300.0] * 6, 0.0)
    assert bus.read(3, "present_velocity") == -150
    assert bus.read(3, "present_load") == -300
    bus.write(3, "goal_velocity", -77)
    assert virtual.get(3, "goal_velocity") == -77


def test_sync_read_and_sync_write_reach_every_servo(bus: Bus, virtual: VirtualBus) -> None:
    bus.sync_write("goal_position", {i: 1000 + i for i in from_all})
    assert bus.sync_read(from_all, "goal_position") == {i: 1000 + i for i in from_all}
    assert [virtual.get(i, "goal_position") for i in from_all] == [1000 + i for i in from_all]


def test_registered_writes_wait_for_the_action(bus: Bus) -> None:
    for servo_id in from_all:
        bus.reg_write(servo_id, "goal_position", 1234)
    assert set(bus.sync_read(from_all, "goal_position").values()) == {0}
    assert bus.read(1, "registered_write") == 1
    bus.action()
    assert set(bus.sync_read(from_all, "goal_position").values()) == {1234}
    assert bus.read(1, "registered_write") == 0


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\x55\xaa",
        b"\xff",
        b"\xff\xff",
        b"\xff\xff\x01\x04\x00",
        encode_packet(9, 0, b"\x11\x22"),  # another servo's
        encode_packet(3, 0, b"\x11\x22\x33"),  # the right servo, another length
        encode_packet(3, 0, b"\x11\x22")[:-1] + b"\x00",  # wrong checksum
        bytes(range(256)) * 2,
    ],
    ids=["text", "half header", "header", "cut packet", "foreign", "length", "checksum", "long"],
)
def test_garbage_before_a_reply_is_read_past(bus: Bus, virtual: VirtualBus, noise: bytes) -> None:
    virtual.exchange([1500.0] * 6, [0.0] * 6, [0.0] * 6, 0.0)
    virtual.inject_fault(before_a_reply(noise))
    assert bus.read(3, "present_position") == 1500
    virtual.inject_fault(before_a_reply(noise))
    assert bus.sync_read(from_all, "present_position") == dict.fromkeys(from_all, 1500)
    counters = bus.counters
    assert counters.discarded_bytes + counters.foreign_packets > 0
    assert counters.failures == 0


def test_a_late_reply_is_not_taken_for_the_next_one(bus: Bus, virtual: VirtualBus) -> None:
    """What is in the line before a request belongs to an earlier one, even with the same id and length."""
    virtual.inject_fault(before_a_reply(encode_packet(3, 0, b"\x11\x22") * 2))
    bus.ping(1)  # both stay unread behind this reply, or are read past
    assert bus.read(3, "present_position") == 2048


def test_silence_is_an_error_within_the_stated_budget(virtual: VirtualBus) -> None:
    virtual.inject_fault("mute servo 2")
    with Bus(virtual.port, reply_timeout_s=0.03, retries=2) as bus:
        started = time.monotonic()
        with pytest.raises(NoReplyError, match="no reply while reading present_position of servo 2"):
            bus.read(2, "present_position")
        assert time.monotonic() - started >= 0.09
        assert (bus.counters.retries, bus.counters.failures) == (2, 1)
        with pytest.raises(NoReplyError, match=r"servos 2$"):
            bus.sync_read([1, 2, 3], "present_position")
        virtual.inject_fault("clear mute servo 2")
        assert bus.read(2, "present_position") == 2048


def test_a_bus_that_goes_away_is_told(virtual: VirtualBus) -> None:
    bus = Bus(virtual.port)
    virtual.close()
    with pytest.raises(PortLostError, match="the device is gone"):
        bus.ping(1)
    with pytest.raises(PortLostError, match="the device is gone"):
        bus.sync_write("goal_position", {1: 5})
    bus.close()
    with pytest.raises(PortLostError, match="closed"):
        bus.ping(1)


def test_requests_that_make_no_sense_are_refused_before_they_are_sent(bus: Bus) -> None:
    with pytest.raises(BadRequestError, match="no register named goal_positon"):
        bus.read(1, "goal_positon")
    with pytest.raises(BadRequestError, match="goal_position: cannot hold 40000"):
        bus.write(1, "goal_position", 40000)
    with pytest.raises(BadRequestError, match="torque_enable: cannot hold -1"):
        bus.sync_write("torque_enable", {1: -1})
    with pytest.raises(BadRequestError, match="0 to 254, found 300"):
        bus.ping(300)
    with pytest.raises(BadRequestError, match="1 to 16 servos, found 0"):
        bus.sync_read([], "lock")
    assert bus.counters.requests == 0


def test_other_threads_run_while_one_waits_for_the_bus(virtual: VirtualBus) -> None:
    virtual.inject_fault("mute servo 1")
    with Bus(virtual.port, reply_timeout_s=0.5, retries=0) as bus:

        def wait() -> None:
            with contextlib.suppress(NoReplyError):
                bus.ping(1)

        waiting = threading.Thread(target=wait)
        waiting.start()
        turns = 0
        while waiting.is_alive():
            turns += 1
            time.sleep(0.001)
        assert turns > 5


def test_two_threads_share_a_bus_without_mixing_replies(bus: Bus, virtual: VirtualBus) -> None:
    virtual.exchange([1000.0 + 100 * i for i in range(6)], [0.0] * 6, [0.0] * 6, 0.0)
    wrong: list[int] = []

    def read_often(servo_id: int) -> None:
        expected = 900 + 100 * servo_id
        wrong.extend(v for v in (bus.read(servo_id, "present_position") for _ in range(200)) if v != expected)

    threads = [threading.Thread(target=read_often, args=(i,)) for i in from_all]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_broadcast_ping_counts_the_replies_of_each_servo(bus: Bus, virtual: VirtualBus) -> None:
    virtual.inject_fault("mute servo 4")
    virtual.inject_fault(before_a_reply(b"\x00\xff\xff\xff" + encode_packet(2, 0)))  # garbage, and a second servo 2
    assert bus.ping_all(0.1) == {1: 1, 2: 2, 3: 1, 5: 1, 6: 1}
    assert bus.counters.discarded_bytes >= 2
