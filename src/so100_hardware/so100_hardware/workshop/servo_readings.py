"""What a servo's registers hold, as far as an examination looks at them."""

from __future__ import annotations

from so100_hardware._bus import REGISTERS, Bus

EXAMINED = (
    "model_number",
    "firmware_major_version",
    "firmware_minor_version",
    "id",
    "baud_rate",
    "return_delay_time",
    "response_status_level",
    "min_position_limit",
    "max_position_limit",
    "max_temperature_limit",
    "max_voltage_limit",
    "min_voltage_limit",
    "max_torque_limit",
    "phase",
    "p_coefficient",
    "i_coefficient",
    "d_coefficient",
    "protection_current",
    "angular_resolution",
    "homing_offset",
    "operating_mode",
    "overload_torque",
    "torque_enable",
    "torque_limit",
    "lock",
    "present_position",
    "present_voltage",
    "present_temperature",
    "present_current",
    "status",
)

Readings = dict[str, int]


def read_servo(bus: Bus, servo_id: int) -> Readings:
    """Every examined register, and under "error_bits" those of its reply to a ping. Raises BusError."""
    readings = {register: bus.read(servo_id, register) for register in EXAMINED}
    readings["error_bits"] = bus.ping(servo_id)
    return readings


def in_unit(readings: Readings, register: str) -> float:
    """The value in the register's unit: V, degC, s."""
    return readings[register] * REGISTERS[register].per_count
