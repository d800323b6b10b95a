"""ros2 launch smolvla_ros so100.launch.py hardware_type:=mujoco policy:=scripted

The arguments and the list of nodes are those of `smolvla run`; this file only turns them into launch's own actions and
adds what only a ROS host has (robot_state_publisher, rviz2).
"""

import os
import tempfile
from pathlib import Path

from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.runtime.description import robot_description
from smolvla_ros.runtime.graph import ARGUMENTS, graph, parse_arguments, serial_port
from smolvla_ros.runtime.processes import prepare_environment

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    words = [f"{argument.name}:={context.launch_configurations[argument.name]}" for argument in ARGUMENTS]
    arguments = parse_arguments(words)
    embodiment = load_embodiment(arguments["embodiment"])
    usb_port = serial_port(arguments, embodiment, Path(tempfile.mkdtemp(prefix="so100_")))
    description = robot_description(embodiment, arguments["hardware_type"], usb_port)
    prepare_environment(os.environ, over_network=arguments["side"] != "all")
    # first, so that a host without it is told before any other process is up
    actions: list[LaunchDescriptionEntity] = []
    if arguments["side"] != "policy":
        actions += [
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                namespace=arguments["namespace"],
                parameters=[{"robot_description": description}],
            )
        ]
    for spec in graph(arguments, description, usb_port):
        node = Node(
            package=spec.package,
            executable=spec.executable,
            name=spec.name,
            namespace=arguments["namespace"],
            parameters=[{**spec.parameters, **({"autostart": True} if spec.managed else {})}],
            arguments=list(spec.arguments),
            output="screen",
        )
        reason = f"{spec.name} ended: see its last lines above"
        actions += [
            node,
            RegisterEventHandler(OnProcessExit(target_action=node, on_exit=[EmitEvent(event=Shutdown(reason=reason))])),
        ]
    if arguments["use_rviz"] == "true":
        actions.append(Node(package="rviz2", executable="rviz2", arguments=["-d", _rviz_file()]))
    if arguments["instruction"]:
        goal = f"{{instruction: '{arguments['instruction']}'}}"
        action = f"/{arguments['namespace']}/executor/run_task".replace("//", "/")
        actions.append(
            ExecuteProcess(
                cmd=["ros2", "action", "send_goal", action, "smolvla_msgs/action/RunTask", goal], output="screen"
            )
        )
    return actions


def _rviz_file() -> str:
    from ament_index_python.packages import get_package_share_directory

    return str(Path(get_package_share_directory("so100_description")) / "rviz" / "so100.rviz")


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
