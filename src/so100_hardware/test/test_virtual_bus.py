from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from so100_hardware import REGISTERS, BadRequestError, Bus, NoReplyError, VirtualBus, encode_packet

IDS = (1, 2, 3, 4, 5, 6)
REST = np.zeros(6)
MIDDLE = np.full(6, 2048.0)


def talk(port: str, request: bytes, expected: int, patience_s: float = 5.0) -> bytes:
    """Raw bytes out, raw bytes in, as any program would."""
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        os.write(fd, request)
        reply, deadline = b"", time.monotonic() + patience_s
        while len(reply) < expected and time.monotonic() < deadline:
            try:
                reply += os.read(fd, 1024)
            except BlockingIOError:
                time.sleep(0.001)
        return reply
    finally:
        os.close(fd)


def test_registers_are_as_the_servo_leaves_the_factory() -> None:
    with VirtualBus() as virtual, Bus(virtual.port) as bus:
        for servo_id in IDS:
            assert bus.read(servo_id, "id") == servo_id
            for register in REGISTERS.values():
                if register.name != "id":
                    assert bus.read(servo_id, register.name) == register.initial, register.name
        assert (bus.read(1, "firmware_major_version"), bus.read(1, "firmware_minor_version")) == (3, 10)


def test_a_broadcast_ping_is_answered_by_all_in_order(virtual: VirtualBus) -> None:
    expected = b"".join(encode_packet(i, 0) for i in IDS)
    assert talk(virtual.port, encode_packet(0xFE, 1), len(expected)) == expected


def test_requests_that_are_broken_or_for_others_stay_unanswered(virtual: VirtualBus) -> None:
    good = encode_packet(2, 1)
    broken = good[:-1] + bytes([good[-1] ^ 1])
    request = broken + encode_packet(77, 1) + encode_packet(0xFE, 2, b"\x38\x02") + b"\xff\xff" + good
    assert talk(virtual.port, request, 6) == encode_packet(2, 0)


def test_a_request_that_stops_halfway_does_not_swallow_the_next(virtual: VirtualBus) -> None:
    assert talk(virtual.port, encode_packet(1, 3, bytes(200))[:20], 1, patience_s=0.2) == b""
    assert talk(virtual.port, encode_packet(2, 1), 6) == encode_packet(2, 0)


def test_a_write_by_several_registers_at_once(bus: Bus, virtual: VirtualBus) -> None:
    block = bytes([7, 0x34, 0x12, 0, 0, 0x10, 0])  # acceleration, goal position, goal time, goal velocity
    bus.close()
    assert talk(virtual.port, encode_packet(1, 3, bytes([41]) + block), 6) == encode_packet(1, 0)
    found = [virtual.get(1, name) for name in ("acceleration", "goal_position", "goal_time", "goal_velocity")]
    assert found == [7, 0x1234, 0, 16]


def test_eeprom_takes_writes_only_while_the_lock_is_open(bus: Bus, virtual: VirtualBus) -> None:
    eeprom = [r for r in REGISTERS.values() if r.memory != "sram" and r.writable and r.name not in ("id", "baud_rate")]
    assert len(eeprom) > 20
    for lock, register in itertools.product((1, 0), eeprom):
        bus.write(1, "lock", lock)
        before = virtual.get(1, register.name)
        other = 1 + before % 100
        bus.write(1, register.name, other)
        assert virtual.get(1, register.name) == (before if lock else other), register.name


def test_what_is_read_only_stays(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "lock", 0)
    for register in REGISTERS.values():
        if not register.writable:
            before = virtual.get(1, register.name)
            bus.write(1, register.name, 9)
            assert virtual.get(1, register.name) == before, register.name


def test_a_new_id_is_acknowledged_under_the_old_one(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "lock", 0)
    bus.write(1, "id", 9)
    assert bus.read(9, "model_number") == 777
    with pytest.raises(NoReplyError):
        bus.ping(1)
    assert virtual.get(9, "id") == 9


def test_status_level_0_acknowledges_no_write(bus: Bus) -> None:
    bus.write(1, "lock", 0)
    bus.write(1, "response_status_level", 1)
    with pytest.raises(NoReplyError):
        bus.write(1, "response_status_level", 0)  # taken, but from now on in silence
    assert bus.read(1, "response_status_level") == 0


def test_the_return_delay_is_waited(bus: Bus, virtual: VirtualBus) -> None:
    virtual.set(1, "return_delay_time", 254)
    started = time.monotonic()
    for _ in range(20):
        bus.ping(1)
    assert time.monotonic() - started >= 20 * 254 * 2e-6


def test_goals_are_obeyed_with_torque_and_within_the_servo_s_limits(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "lock", 0)
    bus.write(1, "min_position_limit", 1000)
    bus.write(1, "max_position_limit", 3000)
    bus.write(1, "goal_position", 3500)
    setpoints = virtual.exchange(MIDDLE, REST, REST, 1.0)
    assert (setpoints.position_ticks[0], setpoints.torque_enabled[0]) == (2048, False)
    bus.write(1, "torque_enable", 1)
    setpoints = virtual.exchange(MIDDLE, REST, REST, 1.0)
    assert (setpoints.position_ticks[0], setpoints.torque_enabled[0]) == (3000, True)
    assert not setpoints.torque_enabled[1:].any()
    bus.write(1, "torque_enable", 0)
    setpoints = virtual.exchange(MIDDLE + 7, REST, REST, 1.0)
    assert (setpoints.position_ticks[0], setpoints.torque_enabled[0]) == (2055, False)


def test_the_profile_keeps_to_the_goal_velocity(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "torque_enable", 1)
    bus.write(1, "goal_velocity", 500)
    bus.write(1, "goal_position", 2148)
    way = [virtual.exchange(MIDDLE, REST, REST, 0.05).position_ticks[0] for _ in range(6)]
    np.testing.assert_allclose(way, [2073, 2098, 2123, 2148, 2148, 2148])


def test_the_profile_keeps_to_the_acceleration_and_does_not_overshoot(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "torque_enable", 1)
    bus.write(1, "acceleration", 10)  # 1000 ticks/s^2
    bus.write(1, "goal_position", 3048)
    dt_s = 0.01
    way = [virtual.exchange(MIDDLE, REST, REST, dt_s).position_ticks[0] for _ in range(400)]
    assert way[-1] == pytest.approx(3048, abs=0.5)
    assert max(way) <= 3048.5
    speed = np.diff([2048.0, *way]) / dt_s
    assert np.abs(np.diff([0.0, *speed])).max() / dt_s <= 1000 * 1.05
    assert speed.max() > 800  # it does get going: sqrt(1000 * 1000) at half way


def test_moving_tells_a_profile_on_its_way_and_a_shaft_that_turns(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(1, "goal_position", 2048)
    bus.write(1, "torque_enable", 1)
    virtual.exchange(MIDDLE, REST, REST, 0.01)
    assert bus.read(1, "moving") == 0
    bus.write(1, "goal_velocity", 100)
    bus.write(1, "goal_position", 2060)
    virtual.exchange(MIDDLE, REST, REST, 0.01)
    assert bus.read(1, "moving") == 1
    virtual.exchange(MIDDLE, REST, REST, 1.0)
    assert bus.read(1, "moving") == 0
    virtual.exchange(MIDDLE, np.full(6, -400.0), REST, 0.01)
    assert bus.read(1, "moving") == 1
    assert bus.read(2, "moving") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(st.integers(-2047, 2047), st.integers(-3000, 7000), st.integers(0, 4095))
def test_the_homing_offset_shifts_what_is_read_and_what_is_commanded_alike(
    virtual: VirtualBus, offset: int, actual: int, goal: int
) -> None:
    """Present = actual - offset, within one turn; the goal is in the same count."""
    virtual.set(1, "homing_offset", offset)
    virtual.set(1, "torque_enable", 0)
    positions = MIDDLE.copy()
    positions[0] = actual
    virtual.exchange(positions, REST, REST, 0.0)
    present = virtual.get(1, "present_position")
    assert present == (actual - offset) % 4096
    virtual.set(1, "goal_position", goal)
    virtual.set(1, "torque_enable", 1)
    setpoint = virtual.exchange(positions, REST, REST, 10.0).position_ticks[0]
    assert setpoint - actual == pytest.approx(goal - present, abs=1e-6)


def test_torque_enable_128_makes_this_position_the_middle(bus: Bus, virtual: VirtualBus) -> None:
    virtual.exchange(MIDDLE + 500, REST, REST, 0.0)
    bus.write(1, "torque_enable", 128)
    assert bus.read(1, "present_position") == 2048
    assert bus.read(1, "homing_offset") == 500
    assert bus.read(1, "torque_enable") == 0


def test_error_bits_come_with_every_reply(bus: Bus, virtual: VirtualBus) -> None:
    assert bus.ping(2) == 0
    virtual.set(2, "present_temperature", 80)
    virtual.set(2, "present_voltage", 30)
    assert bus.ping(2) == 1 | 4
    assert bus.read(2, "status") == 1 | 4


def test_the_link_leads_to_the_port_and_goes_with_the_bus(tmp_path: Path) -> None:
    link = tmp_path / "servo_bus"
    link.symlink_to("/nowhere")  # left behind by one that was killed
    virtual = VirtualBus(link=str(link))
    assert os.readlink(link) == virtual.port
    with Bus(str(link)) as bus:
        bus.ping(1)
    virtual.close()
    assert not link.is_symlink()
    link.write_text("mine")
    with pytest.raises(BadRequestError, match="exists and is no symbolic link"):
        VirtualBus(link=str(link))
    assert link.read_text() == "mine"


def test_start_positions_are_read_before_the_first_exchange() -> None:
    with VirtualBus(start_ticks=[100, 200, 300, 400, 500, 600]) as virtual, Bus(virtual.port) as bus:
        assert list(bus.sync_read(IDS, "present_position").values()) == [100, 200, 300, 400, 500, 600]


def test_arguments_that_make_no_sense_are_refused(virtual: VirtualBus) -> None:
    with pytest.raises(BadRequestError, match="found 3 twice"):
        VirtualBus([1, 3, 3])
    with pytest.raises(BadRequestError, match="0 to 253, found 254"):
        VirtualBus([254])
    with pytest.raises(BadRequestError, match="start_ticks: expected 6 numbers, found 2"):
        VirtualBus(start_ticks=[1, 2])
    with pytest.raises(BadRequestError, match="position_ticks: expected 6 numbers, found an array of 5"):
        virtual.exchange(np.zeros(5), REST, REST, 0.0)
    with pytest.raises(BadRequestError, match="no servo with id 9"):
        virtual.get(9, "lock")
    with pytest.raises(BadRequestError, match="lock: cannot hold 256"):
        virtual.set(1, "lock", 256)


def test_the_first_order_arm_goes_where_it_is_told(bus: Bus, virtual: VirtualBus) -> None:
    virtual.start_first_order_arm()
    bus.sync_write("goal_position", dict.fromkeys(IDS, 2300))
    assert set(bus.sync_read(IDS, "present_position").values()) == {2048}  # no torque
    bus.sync_write("torque_enable", dict.fromkeys(IDS, 1))
    deadline = time.monotonic() + 10.0
    while set(bus.sync_read(IDS, "present_position").values()) != {2300}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(BadRequestError, match="moves this bus already"):
        virtual.exchange(MIDDLE, REST, REST, 0.0)
