"""What move_group.launch.py gives MoveIt speaks of the joints that the URDF has, with and without a prefix."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from launch.launch_description_sources import load_python_launch_file_as_module

FILE = Path(__file__).parents[4] / "src" / "so100_moveit_config" / "launch" / "move_group.launch.py"


@pytest.mark.parametrize("prefix", ["", "left_"])
def test_names_are_those_of_the_urdf(prefix: str) -> None:
    parameters = load_python_launch_file_as_module(str(FILE)).move_group_parameters("", prefix)
    urdf = ET.fromstring(parameters["robot_description"])
    srdf = ET.fromstring(parameters["robot_description_semantic"])
    joints = {joint.get("name", "") for joint in urdf.findall("joint") if joint.get("type") == "revolute"}
    assert all(name.startswith(prefix) for name in joints)
    assert len(joints) == 6
    assert {joint.get("name") for joint in srdf.iter("joint")} <= joints
    assert set(parameters["robot_description_planning"]["joint_limits"]) == joints
    controllers = parameters["moveit_simple_controller_manager"]
    driven = [joint for name in controllers["controller_names"] for joint in controllers[name]["joints"]]
    assert sorted(driven) == sorted(joints)
