"""MoveIt's move_group for a running SO-100 or SO-101.

ros2 launch so100_moveit_config move_group.launch.py [embodiment:=FILE] [prefix:=left_]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from moveit_configs_utils import MoveItConfigsBuilder

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "so100_moveit_config"


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    asked = context.launch_configurations
    parameters = move_group_parameters(asked["embodiment"], asked["prefix"])
    return [Node(package="moveit_ros_move_group", executable="move_group", output="screen", parameters=[parameters])]


def move_group_parameters(embodiment: str, prefix: str) -> dict[str, Any]:
    """Both may be empty: the SO-100's embodiment file, the embodiment's prefix."""
    xacro_file = Path(get_package_share_directory("so100_description")) / "urdf" / "so100.urdf.xacro"
    mappings = {name: value for name, value in (("embodiment", embodiment), ("prefix", prefix)) if value}
    configs = (
        MoveItConfigsBuilder("so100", package_name=PACKAGE)
        .robot_description(file_path=str(xacro_file), mappings=mappings)
        .robot_description_semantic(file_path="config/so100.srdf.xacro", mappings=mappings)
        .robot_description_kinematics(file_path="config/kinematics.yaml")
        .joint_limits(file_path="config/joint_limits.yaml")
        .trajectory_execution(file_path="config/moveit_controllers.yaml", moveit_manage_controllers=False)
        .planning_pipelines(default_planning_pipeline="ompl", pipelines=["ompl", "pilz_industrial_motion_planner"])
        .pilz_cartesian_limits(file_path="config/pilz_cartesian_limits.yaml")
        .to_moveit_configs()
    )
    parameters: dict[str, Any] = configs.to_dict()
    urdf = ElementTree.fromstring(parameters["robot_description"])
    shoulder = next(joint.get("name", "") for joint in urdf.findall("ros2_control/joint"))
    rename_joints(parameters, shoulder.removesuffix("shoulder_pan"))
    return parameters


def rename_joints(parameters: dict[str, Any], prefix: str) -> None:
    """The prefix before the names that joint_limits.yaml and moveit_controllers.yaml have, as in URDF and SRDF."""
    planning = parameters["robot_description_planning"]
    planning["joint_limits"] = {prefix + name: limits for name, limits in planning["joint_limits"].items()}
    controllers = parameters["moveit_simple_controller_manager"]
    for name in controllers["controller_names"]:
        controllers[name]["joints"] = [prefix + joint for joint in controllers[name]["joints"]]


def generate_launch_description() -> LaunchDescription:
    embodiment = DeclareLaunchArgument(
        "embodiment", default_value="", description="embodiment file; empty: the one installed with so100_description"
    )
    prefix = DeclareLaunchArgument(
        "prefix", default_value="", description="before the names of joints and frames; empty: the embodiment's"
    )
    return LaunchDescription([embodiment, prefix, OpaqueFunction(function=start)])
