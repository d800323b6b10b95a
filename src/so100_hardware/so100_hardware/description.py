"""A robot description's <ros2_control> block as the strings that ArmConfig takes, as ros2_control reads them too."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from so100_hardware._bus import ArmConfig, DescriptionError

PLUGIN = "so100_hardware/So100System"


def parse_description(urdf: str) -> ArmConfig:
    """Reads a URDF's text. Raises DescriptionError naming the field, the expected and the found."""
    if not urdf.strip():
        raise _refusal("text", "a URDF", "nothing; pass the parameter robot_description")
    try:
        robot = ET.fromstring(urdf)
    except ET.ParseError as error:
        raise _refusal("text", "XML", str(error)) from None
    blocks = robot.findall("ros2_control")
    plugins = [(block.findtext("hardware/plugin") or "").strip() for block in blocks]
    if plugins.count(PLUGIN) != 1:
        found = ", ".join(p or "no plugin" for p in plugins) or "no <ros2_control>"
        raise _refusal("ros2_control/hardware/plugin", f"{PLUGIN} once", found)
    block = blocks[plugins.index(PLUGIN)]
    hardware = block.find("hardware")
    assert hardware is not None  # its plugin was found
    return ArmConfig(_parameters(hardware), [_joint(element) for element in block.findall("joint")])


def _refusal(field: str, expected: str, found: str) -> DescriptionError:
    return DescriptionError(f"robot_description: {field}: expected {expected}, found {found}")


def _joint(element: ET.Element) -> tuple[str, dict[str, str], str, str]:
    name = element.get("name", "")
    command = element.find("command_interface[@name='position']")
    if command is None:
        raise _refusal(f"joint {name}", "a position command_interface", "none")
    bounds = _parameters(command)
    return name, _parameters(element), bounds.get("min", ""), bounds.get("max", "")


def _parameters(element: ET.Element) -> dict[str, str]:
    return {param.get("name", ""): (param.text or "").strip() for param in element.findall("param")}
