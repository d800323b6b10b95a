"""ros2 launch smolvla_ros so100.launch.py hardware_type:=mujoco policy:=scripted

The arguments and the list of nodes are those of `smolvla run`; this file only turns them into launch's own actions and
adds what only a ROS host has: robot_state_publisher, rviz2, ros2_control and usb_cam where they are installed. Whatever
ends by itself or does not come up ends the launch, with the reason.
"""

import json
import os
import tempfile
import time
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from ament_index_python.resources import get_resources
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch_ros.actions import Node
from smolvla_ros.cameras.choice import chosen_cameras
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.runtime.camera_nodes import camera_nodes
from smolvla_ros.runtime.description import robot_description
from smolvla_ros.runtime.graph import (
    ARGUMENTS,
    CONTROLLERS_FILE,
    SIMULATED_BUS_TIMEOUT_S,
    ArgumentError,
    LaunchArgument,
    graph,
    parse_arguments,
    serial_port,
)
from smolvla_ros.runtime.node_spec import NodeSpec
from smolvla_ros.runtime.prefixed_files import controllers_for, with_prefix
from smolvla_ros.runtime.processes import prepare_environment

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

DRIVER = LaunchArgument(
    "driver",
    "auto",
    "what drives the servos; auto: ros2_control where its plugin is installed",
    ("auto", "ros2_control", "so100_driver"),
)
BUS_LOOK_S = 0.2
STOP_TIMEOUT_S = "15"
"""Before launch kills what it has interrupted: parking and letting go of an arm takes up to 5 s."""


class PartFailed(RuntimeError):
    """A part of the graph ended or did not come up. launch prints the message, stops the rest and ends with code 1."""


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    words = [f"{argument.name}:={context.launch_configurations[argument.name]}" for argument in ARGUMENTS]
    arguments = parse_arguments(words)
    folder = Path(tempfile.mkdtemp(prefix="so100_"))
    arguments["embodiment"] = with_prefix(arguments["embodiment"], arguments["prefix"], folder)
    embodiment = load_embodiment(arguments["embodiment"])
    usb_port = serial_port(arguments, embodiment, folder)
    description = robot_description(embodiment, arguments["hardware_type"], usb_port)
    ros2_control = with_ros2_control(context.launch_configurations["driver"], arguments["hardware_type"])
    wanted = arguments["cameras"] if arguments["side"] != "policy" else "none"
    sources = chosen_cameras(wanted, embodiment, arguments["hardware_type"])
    cameras = camera_nodes(
        sources, arguments["embodiment"], arguments["use_sim_time"] == "true", usb_cam=is_installed("usb_cam")
    )
    controllers = controllers_for(CONTROLLERS_FILE, embodiment.prefix, folder) if ros2_control else None
    specs = graph(arguments, description, usb_port, controllers, cameras)
    prepare_environment(os.environ, over_network=arguments["side"] != "all")
    # first, so that a host without it is told before any other process is up
    actions: list[LaunchDescriptionEntity] = []
    if arguments["side"] != "policy":
        name = "robot_state_publisher"
        publisher = NodeSpec(name, name, name, {"robot_description": description})
        actions.extend(node_actions(publisher, arguments["namespace"]))
    simulated = arguments["hardware_type"] in ("mujoco", "virtual")
    behind_bus: list[LaunchDescriptionEntity] = []
    for spec in specs:
        # the plugin looks for its port once, and a simulated bus appears when its process is up
        late = simulated and ros2_control and spec.package == "controller_manager"
        (behind_bus if late else actions).extend(node_actions(spec, arguments["namespace"]))
    if behind_bus:
        actions.append(when_there(Path(usb_port), behind_bus, time.monotonic() + SIMULATED_BUS_TIMEOUT_S))
    if arguments["use_rviz"] == "true":
        actions.append(Node(package="rviz2", executable="rviz2", arguments=["-d", rviz_file()]))
    if arguments["instruction"] and not arguments["leader_port"]:
        goal = json.dumps({"instruction": arguments["instruction"]})
        action = f"/{arguments['namespace']}/executor/run_task".replace("//", "/")
        actions.append(
            ExecuteProcess(
                cmd=["ros2", "action", "send_goal", action, "smolvla_msgs/action/RunTask", goal], output="screen"
            )
        )
    return actions


def with_ros2_control(driver: str, hardware_type: str) -> bool:
    """Raises ArgumentError where what was asked for is not installed."""
    missing = "" if is_installed("controller_manager") else "controller_manager"
    if not missing and "so100_hardware" not in get_resources("hardware_interface__pluginlib__plugin"):
        missing = "the so100_hardware plugin"
    wanted = driver == "ros2_control" or hardware_type == "mock_components"
    if wanted and missing:
        raise ArgumentError(f"driver: ros2_control needs {missing}, which is not installed")
    return not missing and driver != "so100_driver"


def is_installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def node_actions(spec: NodeSpec, namespace: str) -> list[LaunchDescriptionEntity]:
    """The node, and the end of the launch when it ends."""
    values = {**spec.parameters, **({"autostart": True} if spec.managed else {})}
    parameters: list = [str(spec.parameter_file)] if spec.parameter_file else []
    parameters += [values] if values else []
    node = Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name if spec.lasting else None,
        namespace="/".join(part for part in (namespace, spec.namespace) if part),
        parameters=parameters,
        remappings=list(spec.remappings),
        arguments=list(spec.arguments),
        output="screen",
        sigterm_timeout=STOP_TIMEOUT_S,
    )

    def ended(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if context.is_shutdown or (not spec.lasting and event.returncode == 0):
            return []
        raise PartFailed(f"{spec.name} ended with code {event.returncode}: see its last lines above")

    return [node, RegisterEventHandler(OnProcessExit(target_action=node, on_exit=ended))]


def when_there(path: Path, actions: list[LaunchDescriptionEntity], deadline_s: float) -> LaunchDescriptionEntity:
    """The actions once the path exists; the end of the launch if it does not in time."""

    def look(_context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if path.exists():
            return actions
        if time.monotonic() > deadline_s:
            raise PartFailed(f"no servo bus at {path} within {SIMULATED_BUS_TIMEOUT_S:g} s")
        return [when_there(path, actions, deadline_s)]

    return TimerAction(period=BUS_LOOK_S, actions=[OpaqueFunction(function=look)])


def rviz_file() -> str:
    return str(Path(get_package_share_directory("so100_description")) / "rviz" / "so100.rviz")


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in (*ARGUMENTS, DRIVER)
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
