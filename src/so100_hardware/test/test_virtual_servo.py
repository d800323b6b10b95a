"""EEPROM, power and protection of the simulated servos."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from so100_hardware import REGISTERS, BadRequestError, Bus, NoReplyError, VirtualBus

REST = np.zeros(6)
MIDDLE = np.full(6, 2048.0)
FULL = np.full(6, 1000.0)


def run(virtual: VirtualBus, seconds: float, load: float = 0.0) -> None:
    """The world stands still and pulls for so long."""
    for _ in range(round(seconds / 0.1)):
        virtual.exchange(MIDDLE, REST, np.full(6, load), 0.1)


def test_a_write_to_eeprom_is_acknowledged_late_and_nothing_is_heard_meanwhile() -> None:
    with VirtualBus(eeprom_write_time_s=0.15) as virtual:
        with Bus(virtual.port) as bus:
            bus.write(1, "lock", 0)
            started = time.monotonic()
            bus.write(1, "p_coefficient", 16)
            assert time.monotonic() - started >= 0.15  # the first try has 0.1 s, the second another
            started = time.monotonic()
            bus.write(1, "torque_limit", 500)
            bus.write(2, "p_coefficient", 16)  # locked: nothing is stored
            assert time.monotonic() - started < 0.15
        with Bus(virtual.port, retries=0, reply_timeout_s=0.05) as bus:
            bus.sync_write("p_coefficient", {1: 17})
            with pytest.raises(NoReplyError):
                bus.ping(1)
            assert bus.ping(2) == 0
            time.sleep(0.2)
            assert bus.read(1, "p_coefficient") == 17


def test_a_reboot_resets_sram_and_keeps_eeprom(bus: Bus, virtual: VirtualBus) -> None:
    bus.write(3, "lock", 0)
    bus.write(3, "homing_offset", -77)
    bus.write(3, "max_torque_limit", 500)
    bus.write(3, "goal_position", 2100)
    bus.write(3, "torque_enable", 1)
    virtual.inject_fault("reboot servo 3 for 0.3")
    with pytest.raises(NoReplyError):
        bus.ping(3)
    assert bus.ping(2) == 0
    time.sleep(0.3)
    found = {name: bus.read(3, name) for name in ("torque_enable", "lock", "goal_position", "torque_limit")}
    assert found == {"torque_enable": 0, "lock": 1, "goal_position": 0, "torque_limit": 500}
    assert (bus.read(3, "homing_offset"), bus.read(3, "present_position")) == (-77, 2125)


def test_eeprom_is_kept_in_a_file_between_runs(tmp_path: Path) -> None:
    file = tmp_path / "eeprom"
    with VirtualBus(eeprom=str(file)) as virtual, Bus(virtual.port) as bus:
        bus.write(2, "lock", 0)
        bus.write(2, "homing_offset", -105)
        bus.write(2, "id", 12)
        bus.write(2 + 10, "goal_position", 99)
        virtual.set(5, "min_position_limit", 700)
        virtual.inject_fault("set p_coefficient 16 servo 6")
    with VirtualBus(eeprom=str(file)) as virtual, Bus(virtual.port) as bus:
        assert bus.read(12, "homing_offset") == -105
        assert bus.read(12, "goal_position") == 0  # SRAM
        assert bus.read(5, "min_position_limit") == 700
        assert bus.read(6, "p_coefficient") == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("servo\nhoming_ofset 3\n", "line 2: expected 'servo' or the name of an EEPROM register, found 'homing_ofset'"),
        ("servo\nhoming_offset x\n", "line 2: expected homing_offset and a value that it can hold"),
        ("servo\nhoming_offset 5000\n", "line 2: expected homing_offset and a value that it can hold"),
        ("servo\ngoal_position 5\n", "line 2: expected 'servo' or the name of an EEPROM register"),
        ("id 3\n", "line 1: expected 'servo' before the first register"),
        ("servo\nid 1\nservo\n", "expected 6 servos, found 2"),
        ("servo\n" * 7, "expected 6 servos, found more"),
    ],
)
def test_an_eeprom_file_that_makes_no_sense_is_refused_and_left_alone(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "eeprom"
    file.write_text(text)
    with pytest.raises(BadRequestError, match=message):
        VirtualBus(eeprom=str(file))
    assert file.read_text() == text


def test_an_eeprom_file_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(BadRequestError, match="cannot write eeprom file /no/such/folder/eeprom: No such file"):
        VirtualBus(eeprom="/no/such/folder/eeprom")


def test_overload_reduces_torque_until_torque_is_written(bus: Bus, virtual: VirtualBus) -> None:
    for servo_id in (1, 2):
        bus.write(servo_id, "torque_enable", 1)
    run(virtual, 1.5, 900)
    assert bus.ping(1) == 0  # protection_time is 2 s
    run(virtual, 1.0, 900)
    assert bus.ping(1) == 32
    setpoints = virtual.exchange(MIDDLE, REST, REST, 0.1)
    assert setpoints.torque_enabled[0]
    assert setpoints.torque_share[0] == pytest.approx(0.2)
    run(virtual, 5.0)
    assert bus.ping(1) == 32  # it does not go by itself
    bus.write(1, "torque_enable", 1)
    assert bus.ping(1) == 0
    assert virtual.exchange(MIDDLE, REST, REST, 0.1).torque_share[0] == 1.0
    assert bus.ping(2) == 32


def test_a_short_overload_does_no_harm(bus: Bus, virtual: VirtualBus) -> None:
    for _ in range(3):
        run(virtual, 1.9, 900)
        run(virtual, 0.1, 700)
    assert bus.ping(1) == 0


def test_over_current_takes_torque_away_where_the_gripper_s_limit_is_set(bus: Bus, virtual: VirtualBus) -> None:
    virtual.set(6, "protection_current", 250)
    for servo_id in (5, 6):
        bus.write(servo_id, "torque_enable", 1)
    run(virtual, 2.5, 700)  # 290 counts
    assert (bus.ping(5), bus.ping(6)) == (0, 8)
    assert (bus.read(5, "torque_enable"), bus.read(6, "torque_enable")) == (1, 0)
    bus.write(6, "torque_enable", 1)
    assert (bus.ping(6), bus.read(6, "torque_enable")) == (0, 1)


def test_work_warms_a_servo_slowly_and_heat_takes_torque_away(bus: Bus, virtual: VirtualBus) -> None:
    virtual.set(1, "max_temperature_limit", 60)
    for servo_id in (1, 2):
        bus.write(servo_id, "torque_enable", 1)
    way = []
    for _ in range(10):
        run(virtual, 20.0, 790)
        way.append(bus.read(1, "present_temperature"))
    assert way == sorted(way)
    assert 31 <= way[0] <= 40
    assert way[-1] >= 60
    assert (bus.ping(1), bus.ping(2)) == (4, 0)
    assert (bus.read(1, "torque_enable"), bus.read(2, "torque_enable")) == (0, 1)
    bus.write(1, "torque_enable", 1)
    assert bus.read(1, "torque_enable") == 0  # still too hot
    run(virtual, 60.0)
    assert bus.ping(1) == 0
    bus.write(1, "torque_enable", 1)
    assert bus.read(1, "torque_enable") == 1


def test_what_costs_torque_is_the_unloading_condition_s_to_say(bus: Bus, virtual: VirtualBus) -> None:
    virtual.set(1, "unloading_condition", 0)
    bus.write(1, "torque_enable", 1)
    virtual.inject_fault("overheat servo 1 to 80")
    assert (bus.ping(1), bus.read(1, "torque_enable")) == (4, 1)


def test_low_voltage_is_an_error_bit(bus: Bus, virtual: VirtualBus) -> None:
    virtual.inject_fault("voltage to 3.9 servo 2")
    assert (bus.ping(1), bus.ping(2)) == (0, 1)
    assert bus.read(2, "present_voltage") == 39
    virtual.inject_fault("clear voltage")
    assert bus.ping(2) == 0
    assert bus.read(2, "present_voltage") == REGISTERS["present_voltage"].initial


def test_the_phase_bit_lets_positions_leave_the_turn(bus: Bus, virtual: VirtualBus) -> None:
    virtual.exchange(np.full(6, -100.0), REST, REST, 0.0)
    assert bus.read(1, "present_position") == 3996
    virtual.inject_fault("set phase 28 servo 1")
    virtual.exchange(np.full(6, -100.0), REST, REST, 0.0)
    assert (bus.read(1, "present_position"), bus.read(2, "present_position")) == (-100, 3996)
    virtual.exchange(np.full(6, 5000.0), REST, REST, 0.0)
    assert (bus.read(1, "present_position"), bus.read(2, "present_position")) == (5000, 904)


def test_a_blocked_shaft_stays_and_loads_its_servo(bus: Bus, virtual: VirtualBus) -> None:
    virtual.start_first_order_arm()
    virtual.set(2, "protection_time", 5)  # 50 ms
    virtual.inject_fault("stall servo 2")
    for servo_id in (1, 2):
        bus.write(servo_id, "goal_position", 2500)
        bus.write(servo_id, "torque_enable", 1)
    deadline = time.monotonic() + 10.0
    while bus.read(1, "present_position") != 2500 or bus.ping(2) != 32:
        assert time.monotonic() < deadline
    assert bus.read(2, "present_position") == 2048
    time.sleep(0.02)
    assert bus.read(2, "present_load") == 200  # protective torque
    virtual.inject_fault("clear")
    bus.write(2, "torque_enable", 1)
    while bus.read(2, "present_position") != 2500:
        assert time.monotonic() < deadline
