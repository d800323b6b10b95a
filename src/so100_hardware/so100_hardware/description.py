"""What a robot description says about the servos: its <ros2_control> block as checked dataclasses.

The ros2_control plugin and so100_driver are configured by this same block.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from so100_hardware._bus import ServoJoint

PLUGIN = "so100_hardware/So100System"


class DescriptionError(ValueError):
    """A robot description that this driver cannot work with."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"robot_description: {field}: expected {expected}, found {found}")


@dataclass(frozen=True)
class JointDescription:
    """A joint of the block. ticks = zero_ticks + sign * rad * 4096 / (2 pi)."""

    name: str
    servo_id: int
    sign: int
    zero_ticks: int
    range_ticks: tuple[int, int]
    limits_rad: tuple[float, float]
    max_velocity_rad_s: float
    max_acceleration_rad_s2: float

    def servo_joint(self) -> ServoJoint:
        """For a ServoGroup. Raises BusError where values contradict each other."""
        return ServoJoint(self.name, self.servo_id, self.sign, self.zero_ticks, self.range_ticks, self.limits_rad)


@dataclass(frozen=True)
class HardwareDescription:
    """The block of one arm."""

    name: str
    usb_port: str
    baud_rate: int
    joints: tuple[JointDescription, ...]

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)


def parse_description(urdf: str) -> HardwareDescription:
    """Reads a URDF's text. Raises DescriptionError naming the field, the expected and the found."""
    if not urdf.strip():
        raise DescriptionError("text", "a URDF", "nothing; pass the parameter robot_description")
    try:
        robot = ET.fromstring(urdf)
    except ET.ParseError as error:
        raise DescriptionError("text", "XML", str(error)) from None
    blocks = robot.findall("ros2_control")
    plugins = [(block.findtext("hardware/plugin") or "").strip() for block in blocks]
    if plugins.count(PLUGIN) != 1:
        found = ", ".join(p or "no plugin" for p in plugins) or "no <ros2_control>"
        raise DescriptionError("ros2_control/hardware/plugin", f"{PLUGIN} once", found)
    block = blocks[plugins.index(PLUGIN)]
    name = block.get("name", "")
    hardware = block.find("hardware")
    assert hardware is not None  # its plugin was found
    baud_rate = _whole(hardware, "baud_rate", "hardware")
    if baud_rate <= 0:
        raise DescriptionError("hardware/baud_rate", "a positive number", str(baud_rate))
    joints = tuple(_joint(element) for element in block.findall("joint"))
    if not joints:
        raise DescriptionError("joint", "at least one", "none")
    for field, values in (
        ("name", [j.name for j in joints]),
        ("id", [str(j.servo_id) for j in joints]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise DescriptionError(f"joint/{field}", "one joint each", f"{twice[0]} at {values.count(twice[0])} joints")
    return HardwareDescription(name, _text(hardware, "usb_port", "hardware"), baud_rate, joints)


def _joint(element: ET.Element) -> JointDescription:
    name = element.get("name", "")
    where = f"joint {name}"
    command = element.find("command_interface[@name='position']")
    if command is None:
        raise DescriptionError(where, "a position command_interface", "none")
    limits = (
        _number(command, "min", f"{where}/command_interface"),
        _number(command, "max", f"{where}/command_interface"),
    )
    if not limits[0] < limits[1]:
        raise DescriptionError(f"{where}/command_interface", "min below max", f"{limits[0]:g} and {limits[1]:g}")
    range_ticks = (_whole(element, "range_min", where), _whole(element, "range_max", where))
    if not range_ticks[0] < range_ticks[1]:
        raise DescriptionError(f"{where}/range_min", "less than range_max", f"{range_ticks[0]} and {range_ticks[1]}")
    sign = _whole(element, "sign", where)
    if sign not in (1, -1):
        raise DescriptionError(f"{where}/sign", "1 or -1", str(sign))
    servo_id = _whole(element, "id", where)
    if not 0 <= servo_id <= 253:
        raise DescriptionError(f"{where}/id", "0 to 253", str(servo_id))
    fastest = {}
    for field in ("max_velocity", "max_acceleration"):
        fastest[field] = _number(element, field, where)
        if fastest[field] <= 0.0:
            raise DescriptionError(f"{where}/{field}", "more than 0", f"{fastest[field]:g}")
    return JointDescription(
        name,
        servo_id,
        sign,
        _whole(element, "zero_ticks", where),
        range_ticks,
        limits,
        fastest["max_velocity"],
        fastest["max_acceleration"],
    )


def _text(element: ET.Element, name: str, where: str) -> str:
    for param in element.findall("param"):
        if param.get("name") == name and (param.text or "").strip():
            return (param.text or "").strip()
    raise DescriptionError(f"{where}/{name}", "a value", "none")


def _number(element: ET.Element, name: str, where: str) -> float:
    text = _text(element, name, where)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DescriptionError(f"{where}/{name}", "a number", f"'{text}'")
    return value


def _whole(element: ET.Element, name: str, where: str) -> int:
    value = _number(element, name, where)
    if value != int(value):
        raise DescriptionError(f"{where}/{name}", "a whole number", f"{value:g}")
    return int(value)
