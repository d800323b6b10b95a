"""What a guided command makes sure of before it begins: the servos are there, and the arm can be moved by hand."""

from __future__ import annotations

from collections.abc import Mapping

from so100_hardware._bus import Bus
from so100_hardware.commands.console import Console
from so100_hardware.commands.errors import CommandError
from so100_hardware.workshop.diagnosis import MODEL_STS3215
from so100_hardware.workshop.eeprom import let_go
from so100_hardware.workshop.servo_search import answering


def check_servos(bus: Bus, servo_ids: Mapping[str, int]) -> None:
    """Raises CommandError for missing servos and other models, and BusError."""
    present = answering(bus, list(servo_ids.values()))
    missing = [f"{servo_id} ({name})" for name, servo_id in servo_ids.items() if servo_id not in present]
    if missing:
        raise CommandError(
            f"{bus.port}: expected {len(servo_ids)} servos, no answer from {', '.join(missing)}. Look what is wrong "
            f"with `so100 doctor --port {bus.port}`"
        )
    for name, servo_id in servo_ids.items():
        model = bus.read(servo_id, "model_number")
        if model != MODEL_STS3215:
            raise CommandError(
                f"{bus.port}: servo {servo_id} ({name}): expected model {MODEL_STS3215} (STS3215), found {model}. Is "
                "this another arm's port?"
            )


def release(bus: Bus, servo_ids: Mapping[str, int], console: Console) -> None:
    """Torque off, after a warning where it is on. Raises BusError."""
    if any(bus.read(servo_id, "torque_enable") for servo_id in servo_ids.values()):
        console.ask("torque is on and will go off: hold the arm, then press Enter")
    let_go(bus, list(servo_ids.values()))
