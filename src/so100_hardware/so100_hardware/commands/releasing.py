"""An arm that is to be moved by hand."""

from __future__ import annotations

from collections.abc import Mapping

from so100_hardware._bus import Bus
from so100_hardware.commands.console import Console
from so100_hardware.workshop.eeprom import let_go


def release(bus: Bus, servo_ids: Mapping[str, int], console: Console) -> None:
    """Torque off, after a warning where it is on. Raises BusError."""
    if any(bus.read(servo_id, "torque_enable") for servo_id in servo_ids.values()):
        console.ask("torque is on and will go off: hold the arm, then press Enter")
    let_go(bus, list(servo_ids.values()))
