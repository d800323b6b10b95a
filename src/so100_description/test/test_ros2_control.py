"""The ros2_control block says what the embodiment file says, for every hardware_type."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SERVO_HARDWARE = ("mujoco", "real", "virtual")
TELEMETRY = ["temperature", "voltage", "current", "load", "error_flags"]
CONTROLLERS = Path(__file__).parents[3] / "config" / "controllers.yaml"


def params(element: ET.Element) -> dict[str, str]:
    return {param.get("name", ""): param.text or "" for param in element.findall("param")}


@pytest.mark.parametrize("hardware_type", [*SERVO_HARDWARE, "mock_components"])
def test_joints_are_the_embodiments(
    describe: Callable[..., ET.Element], embodiment: dict[str, Any], hardware_type: str
) -> None:
    (block,) = describe(hardware_type=hardware_type).findall("ros2_control")
    assert block.get("type") == "system"
    joints = block.findall("joint")
    assert [joint.get("name") for joint in joints] == [joint["name"] for joint in embodiment["joints"]]
    for found, expected in zip(joints, embodiment["joints"], strict=True):
        values = params(found)
        assert {name: float(text) for name, text in values.items()} == {
            "id": expected["servo_id"],
            "sign": expected["sign"],
            "zero_ticks": expected["zero_ticks"],
            "range_min": expected["range_ticks"][0],
            "range_max": expected["range_ticks"][1],
            "max_velocity": expected["max_velocity_rad_s"],
            "max_acceleration": expected["max_acceleration_rad_s2"],
            **{name: expected[name] for name in ("torque_limit",) if name in expected},
        }
        (command,) = found.findall("command_interface")
        limits = params(command)
        assert command.get("name") == "position"
        assert [float(limits["min"]), float(limits["max"])] == expected["limits_rad"]
        telemetry = [] if hardware_type == "mock_components" else TELEMETRY
        states = [state.get("name") for state in found.findall("state_interface")]
        assert states == ["position", "velocity", "effort", *telemetry]


@pytest.mark.parametrize("hardware_type", SERVO_HARDWARE)
def test_servo_hardware_names_its_plugin_and_port(
    describe: Callable[..., ET.Element], embodiment: dict[str, Any], hardware_type: str
) -> None:
    hardware = describe(hardware_type=hardware_type, usb_port="/dev/ttyUSB3").find("ros2_control/hardware")
    assert hardware.findtext("plugin") == "so100_hardware/So100System"
    assert params(hardware) == {
        "usb_port": "/dev/ttyUSB3",
        "baud_rate": str(embodiment["bus"]["baud_rate"]),
        "auto_reconnect": str(hardware_type != "real"),
    }


def test_what_an_arms_own_embodiment_adds_reaches_its_joint_alone(
    describe: Callable[..., ET.Element], embodiment: dict[str, Any], tmp_path: Path
) -> None:
    added = {
        "homing_offset": -12,
        "torque_limit": 0.5,
        "p_coefficient": 16,
        "i_coefficient": 0,
        "d_coefficient": 32,
        "park_rad": 0.1,
    }
    own = copy.deepcopy(embodiment)
    own["joints"][5].update(added)
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(own))
    *others, gripper = describe(hardware_type="real", embodiment=str(file)).findall("ros2_control/joint")
    values = params(gripper)
    assert {name: float(values["park" if name == "park_rad" else name]) for name in added} == added
    for joint in others:
        assert params(joint).keys().isdisjoint({*added, "park"})


def test_without_usb_port_the_embodiments_is_taken(
    describe: Callable[..., ET.Element], embodiment: dict[str, Any]
) -> None:
    hardware = describe(hardware_type="real").find("ros2_control/hardware")
    assert params(hardware)["usb_port"] == embodiment["bus"]["usb_port"]


def test_mock_components_start_at_home(describe: Callable[..., ET.Element], embodiment: dict[str, Any]) -> None:
    block = describe(hardware_type="mock_components").find("ros2_control")
    assert block.findtext("hardware/plugin") == "mock_components/GenericSystem"
    starts = [float(p.text) for p in block.findall("joint/state_interface/param[@name='initial_value']")]
    assert starts == [joint["home_rad"] for joint in embodiment["joints"]]


def test_prefix_reaches_the_block(describe: Callable[..., ET.Element], embodiment: dict[str, Any]) -> None:
    block = describe(prefix="left_").find("ros2_control")
    assert block.get("name") == "left_so100"
    assert [j.get("name") for j in block.findall("joint")] == [f"left_{j['name']}" for j in embodiment["joints"]]


def test_controllers_move_the_embodiments_joints(embodiment: dict[str, Any]) -> None:
    controllers = yaml.safe_load(CONTROLLERS.read_text())
    manager = controllers["controller_manager"]["ros__parameters"]
    assert manager["update_rate"] == embodiment["rates"]["control_hz"]
    loaded = {name for name, value in manager.items() if isinstance(value, dict) and "type" in value}
    assert loaded == set(controllers) - {"controller_manager"} | {"joint_state_broadcaster"}
    assert not manager["hardware_components_initial_state"]["shutdown_on_initial_state_failure"]
    names = [joint["name"] for joint in embodiment["joints"]]
    for controller in ("joint_trajectory_controller", "forward_position_controller"):
        assert controllers[controller]["ros__parameters"]["joints"] == names
    moveit = [controllers[name]["ros__parameters"] for name in ("manipulator_controller", "gripper_controller")]
    assert [*moveit[0]["joints"], moveit[1]["joint"]] == names
