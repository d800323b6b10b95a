"""MoveIt's move_group for a running SO-100: ros2 launch so100_moveit_config move_group.launch.py [embodiment:=FILE]."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from moveit_configs_utils import MoveItConfigsBuilder

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "so100_moveit_config"


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    xacro_file = Path(get_package_share_directory("so100_description")) / "urdf" / "so100.urdf.xacro"
    embodiment = context.launch_configurations["embodiment"]
    mappings = {"embodiment": embodiment} if embodiment else {}
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
    return [
        Node(package="moveit_ros_move_group", executable="move_group", output="screen", parameters=[configs.to_dict()])
    ]


def generate_launch_description() -> LaunchDescription:
    embodiment = DeclareLaunchArgument(
        "embodiment", default_value="", description="embodiment file; empty: the one installed with so100_description"
    )
    return LaunchDescription([embodiment, OpaqueFunction(function=start)])
