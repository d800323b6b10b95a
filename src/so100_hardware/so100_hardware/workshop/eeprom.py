"""Registers that survive power-off, written one servo at a time with torque off and read back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from so100_hardware._bus import Bus, BusError


class EepromError(BusError):
    """A register that was not written as asked. The message names the servo, the register, expected and found."""


def write_eeprom(bus: Bus, servo_id: int, values: Mapping[str, int]) -> None:
    """Unlocks, writes, reads back and locks again, also after a failure.

    Raises EepromError where torque is on, for the servo would not take them, or where another value is read back, and
    any other BusError of the bus.
    """
    if bus.read(servo_id, "torque_enable") != 0:
        raise EepromError(f"servo {servo_id}: expected torque off, found it on: let go of the arm first, then write")
    bus.write(servo_id, "lock", 0)
    try:
        for register, value in values.items():
            bus.write(servo_id, register, value)
        for register, value in values.items():
            found = bus.read(servo_id, register)
            if found != value:
                raise EepromError(
                    f"servo {servo_id}: {register}: expected {value} after writing it, found {found}; try again, and "
                    "if it stays so the servo's memory is worn out or protected"
                )
    except BusError:
        with contextlib.suppress(BusError):
            bus.write(servo_id, "lock", 1)
        raise
    bus.write(servo_id, "lock", 1)


def let_go(bus: Bus, servo_ids: list[int]) -> None:
    """Torque off at every servo, so that the arm can be moved by hand. Raises BusError."""
    for servo_id in servo_ids:
        bus.write(servo_id, "torque_enable", 0)
