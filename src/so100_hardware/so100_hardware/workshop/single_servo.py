"""The one servo that is connected: found at any id and baud rate, and given another id and baud rate."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from so100_hardware._bus import Bus, BusError, NoReplyError
from so100_hardware.workshop.diagnosis import MODEL_STS3215
from so100_hardware.workshop.eeprom import EepromError
from so100_hardware.workshop.servo_search import BAUD_RATES, LISTEN_S, listen_everywhere, reply_quality


class NotOneServoError(BusError):
    """Not exactly one STS3215 is connected. The message says what was found instead and what to do."""


@dataclass(frozen=True)
class FoundServo:
    """Where the servo answers."""

    servo_id: int
    baud_rate: int


def find_single_servo(port: str, window_s: float = LISTEN_S) -> FoundServo:
    """Raises NotOneServoError, and BusError for a port that cannot be used."""
    heard = listen_everywhere(port, window_s)
    places = [
        FoundServo(servo_id, listening.baud_rate) for listening in heard for servo_id in sorted(listening.replies)
    ]
    ids = sorted({place.servo_id for place in places})
    if not ids:
        garbage = sum(listening.garbage_bytes for listening in heard)
        found = "only garbage came: are two servos connected?" if garbage else "none answers at any baud rate"
        raise NotOneServoError(
            f"expected one servo, {found}. Connect one alone to the board, and the board's power supply (USB does not "
            "feed servos)"
        )
    most = max(count for listening in heard for count in listening.replies.values())
    if len(ids) > 1 or most > 1:
        listed = f"ids {', '.join(map(str, ids))}" if len(ids) > 1 else f"{most} with id {ids[0]}"
        raise NotOneServoError(
            f"expected one servo, found {listed}. Unplug the cable to the next servo, so that this one is alone"
        )
    servo = places[0]
    if reply_quality(port, servo.baud_rate, servo.servo_id, present=True).garbled:
        raise NotOneServoError(
            f"expected one servo, found garbled replies from id {servo.servo_id}: two servos have it. Connect one alone"
        )
    with Bus(port, servo.baud_rate, retries=3) as bus:
        model = bus.read(servo.servo_id, "model_number")
    if model != MODEL_STS3215:
        raise NotOneServoError(f"expected model {MODEL_STS3215} (STS3215), found {model}. Connect the arm's servo")
    return servo


def assign(port: str, servo: FoundServo, target: FoundServo) -> None:
    """Writes id and baud rate, and sees that the servo answers there. Raises EepromError and BusError.

    The baud rate is the last to change, for the servo is heard at the new one only from then on.
    """
    with Bus(port, servo.baud_rate, retries=3) as bus:
        bus.write(servo.servo_id, "torque_enable", 0)
        bus.write(servo.servo_id, "lock", 0)
        if target.servo_id != servo.servo_id:
            # Its acknowledgement may come from either id.
            with contextlib.suppress(NoReplyError):
                bus.write(servo.servo_id, "id", target.servo_id)
        if target.baud_rate != servo.baud_rate:
            with contextlib.suppress(NoReplyError):
                bus.write(target.servo_id, "baud_rate", BAUD_RATES.index(target.baud_rate))
    with Bus(port, target.baud_rate, retries=3) as bus:
        try:
            bus.write(target.servo_id, "lock", 1)
            kept = bus.read(target.servo_id, "id"), BAUD_RATES[bus.read(target.servo_id, "baud_rate")]
        except NoReplyError:
            raise EepromError(
                f"the servo was to answer as id {target.servo_id} at {target.baud_rate} baud and does not: turn its "
                "power off and on, and set it up once more"
            ) from None
    if kept != (target.servo_id, target.baud_rate):
        raise EepromError(
            f"expected id {target.servo_id} at {target.baud_rate} baud after writing, found {kept[0]} at {kept[1]}"
        )
