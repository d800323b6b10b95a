"""A calibration read from servos, written to them, and compared with them."""

from __future__ import annotations

from collections.abc import Mapping

from so100_hardware._bus import Bus
from so100_hardware.calibration import REGISTERS, Calibration, Difference, JointCalibration, differences
from so100_hardware.units import TICKS_PER_TURN
from so100_hardware.workshop.eeprom import EepromError, write_eeprom

# An arm without torque sinks a little while its servos are written.
SAG_TICKS = 100


def read_registers(bus: Bus, servo_ids: Mapping[str, int]) -> dict[int, dict[str, int]]:
    """The calibration's registers by servo id. Raises BusError."""
    return {i: {register: bus.read(i, register) for register in REGISTERS.values()} for i in servo_ids.values()}


def read_calibration(bus: Bus, servo_ids: Mapping[str, int]) -> Calibration:
    """What the servos hold, as LeRobot reads it. Raises BusError."""
    registers = read_registers(bus, servo_ids)
    return Calibration(
        {name: JointCalibration(i, 0, *(registers[i][r] for r in REGISTERS.values())) for name, i in servo_ids.items()}
    )


def encoder_count(bus: Bus, servo_id: int) -> int:
    """What the servo would show with no homing offset; outside 0 to 4095 where it counts turns. Raises BusError."""
    return bus.read(servo_id, "present_position") + bus.read(servo_id, "homing_offset")


def write_calibration(bus: Bus, calibration: Calibration) -> list[Difference]:
    """Writes what differs, and position mode; what was written. Torque must be off.

    Raises EepromError where a servo does not show the position that its new offset should give, and BusError.
    """
    registers = read_registers(bus, {name: joint.servo_id for name, joint in calibration.joints.items()})
    wrong = differences(calibration, registers)
    for name, joint in calibration.joints.items():
        values = {d.register: d.in_file for d in wrong if d.joint == name}
        if bus.read(joint.servo_id, "operating_mode") != 0:
            values["operating_mode"] = 0
        if not values:
            continue
        before = encoder_count(bus, joint.servo_id)
        write_eeprom(bus, joint.servo_id, values)
        expected = (before - joint.homing_offset) % TICKS_PER_TURN
        shown = bus.read(joint.servo_id, "present_position") % TICKS_PER_TURN
        away = (shown - expected) % TICKS_PER_TURN
        if min(away, TICKS_PER_TURN - away) > SAG_TICKS:
            raise EepromError(
                f"servo {joint.servo_id} ({name}): expected position {expected} after writing homing_offset "
                f"{joint.homing_offset}, found {shown}: was the joint moved? Turn the arm's power off and on, then "
                "look with `so100 doctor`"
            )
    return wrong
