"""Whether the servos on a bus are the arm that is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from so100_hardware._bus import Bus
from so100_hardware.arm_file import ArmJoint
from so100_hardware.workshop.diagnosis import MODEL_STS3215
from so100_hardware.workshop.servo_search import answering


class OtherArmError(RuntimeError):
    """Other servos than expected: what was expected, what was found and what to do, in words for the operator."""


def check_servos(bus: Bus, servo_ids: Mapping[str, int]) -> None:
    """Raises OtherArmError for missing servos and other models, and BusError."""
    present = answering(bus, list(servo_ids.values()))
    missing = [f"{servo_id} ({name})" for name, servo_id in servo_ids.items() if servo_id not in present]
    if missing:
        raise OtherArmError(
            f"{bus.port}: expected {len(servo_ids)} servos, no answer from {', '.join(missing)}. Look what is wrong "
            f"with `so100 doctor --port {bus.port}`"
        )
    for name, servo_id in servo_ids.items():
        model = bus.read(servo_id, "model_number")
        if model != MODEL_STS3215:
            raise OtherArmError(
                f"{bus.port}: servo {servo_id} ({name}): expected model {MODEL_STS3215} (STS3215), found {model}. Is "
                "this another arm's port?"
            )


def check_offsets(bus: Bus, joints: Sequence[ArmJoint]) -> None:
    """Raises OtherArmError where the servos hold another calibration's offsets, and BusError."""
    for joint in joints:
        held = bus.read(joint.servo_id, "homing_offset")
        if joint.homing_offset is not None and held != joint.homing_offset:
            raise OtherArmError(
                f"{bus.port}: servo {joint.servo_id} ({joint.name}): expected homing_offset {joint.homing_offset}, "
                f"found {held}: the calibration is another arm's. Name the leader's own"
            )
