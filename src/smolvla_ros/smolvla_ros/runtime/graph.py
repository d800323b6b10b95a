"""The graph: which nodes run, with what. Written once, for `smolvla run` and for launch/so100.launch.py.

arguments = parse_arguments(["hardware_type:=mujoco", "policy:=scripted"])
for node in graph(arguments, embodiment, robot_description): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.execution.command_source import SOURCES
from smolvla_ros.runtime.node_spec import NodeSpec

CONFIG = Path(__file__).parent.parent / "config"
CONTROLLERS_FILE = CONFIG / "controllers.yaml"
PARAMETERS_FILE = CONFIG / "parameters.yaml"
FASTDDS_FILE, FASTDDS_NETWORK_FILE = CONFIG / "fastdds.xml", CONFIG / "fastdds_network.xml"

SIMULATED_BUS_TIMEOUT_S = 60.0
# how the policy takes images that come from another machine
OVER_NETWORK = {"image_transport": "compressed", "image_reliability": "reliable", "image_max_age": 1.5}
SPAWN_TIMEOUT_S = 30.0


class ArgumentError(ValueError):
    """A launch argument that does not exist or has a value that it cannot have."""


@dataclass(frozen=True)
class LaunchArgument:
    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


ARGUMENTS = (
    LaunchArgument(
        "hardware_type",
        "mujoco",
        "what stands behind the servo bus: the simulator, a real arm, or servo models without an arm",
        ("mujoco", "real", "virtual", "mock_components"),
    ),
    LaunchArgument("usb_port", "", "serial device of a real arm; empty: the embodiment file's"),
    LaunchArgument("policy", "scripted", "'scripted', a SmolVLA checkpoint's folder, its hub name, or module:Class"),
    LaunchArgument("instruction", "", "what the arm should do, in words; empty: wait for a RunTask goal"),
    LaunchArgument("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    LaunchArgument("prefix", "", "before the names of joints and frames, for one of two arms; empty: the embodiment's"),
    LaunchArgument(
        "cameras",
        "auto",
        "real cameras: auto (all of the embodiment file with a real arm, else none), all, none, or some by name, with "
        "their devices where they are others: top=/dev/video4,wrist",
    ),
    LaunchArgument(
        "leader_port", "", "serial device of a leader arm: then it leads this one, in the place of policy and executor"
    ),
    LaunchArgument("leader_embodiment", "", "the leader arm's embodiment file; empty: this arm's"),
    LaunchArgument("device", "cpu", "where the policy runs: cpu, cuda, cuda:1, ..."),
    LaunchArgument(
        "engine", "auto", "what the policy computes with: auto, torch, cpu-fp32, cpu-bf16, cpu-int8, cuda-bf16"
    ),
    LaunchArgument(
        "mode",
        "async",
        "async: chunks are asked for while the arm moves; sync: when all rows are executed, as LeRobot does",
        ("async", "sync"),
    ),
    LaunchArgument("seed", "0", "seed of the simulated scene and of the policy's noise"),
    LaunchArgument("record", "false", "record each task into a bag, with images and chunks", ("true", "false")),
    LaunchArgument("record_folder", "recordings", "where the bags are written"),
    LaunchArgument("record_images", "raw", "images in the bags", ("raw", "compressed")),
    LaunchArgument("namespace", "", "namespace of all nodes"),
    LaunchArgument(
        "use_sim_time",
        "false",
        "all nodes take time from /clock; the simulator publishes it",
        ("true", "false"),
    ),
    LaunchArgument(
        "real_time",
        "true",
        "driver, executor and chunks to send come before other processes where the host permits it (thread_priority)",
        ("true", "false"),
    ),
    LaunchArgument(
        "side",
        "all",
        "what runs on this machine: everything, all but the policy, or the policy alone",
        ("all", "robot", "policy"),
    ),
    LaunchArgument("robots", "", "namespaces of the robots that the policy serves, with commas; empty: its own"),
    LaunchArgument("display", "false", "publish the coming motion as markers", ("true", "false")),
    LaunchArgument("use_rviz", "false", "start rviz2 (ROS hosts only), and display", ("true", "false")),
)


def parse_arguments(words: Iterable[str]) -> dict[str, str]:
    """`name:=value` words, as `ros2 launch` takes them, over the defaults. Raises ArgumentError."""
    values = {argument.name: argument.default for argument in ARGUMENTS}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator:
            raise ArgumentError(f"expected name:=value, found '{word}'")
        if name not in values:
            raise ArgumentError(f"no launch argument '{name}'; there are: {', '.join(values)}")
        values[name] = value
    for argument in ARGUMENTS:
        value = values[argument.name]
        if argument.choices and value not in argument.choices:
            raise ArgumentError(f"{argument.name}: expected one of {', '.join(argument.choices)}, found '{value}'")
    if not values["seed"].isdecimal():
        raise ArgumentError(f"seed: expected a whole number from 0, found '{values['seed']}'")
    return values


def serial_port(arguments: Mapping[str, str], embodiment: Embodiment, run_folder: Path) -> str:
    """Where the driver finds the bus: the device named, the embodiment's, or the simulated bus in `run_folder`.

    Raises ArgumentError where a real arm's device, or a leader's, is not there: before anything has been started.
    """
    if arguments["leader_port"]:
        _require_device("leader_port", arguments["leader_port"])
    if arguments["hardware_type"] in ("mujoco", "virtual"):
        return arguments["usb_port"] or str(run_folder / "servo_bus")
    port = arguments["usb_port"] or embodiment.bus.usb_port
    if arguments["hardware_type"] == "real" and arguments["side"] != "policy":
        _require_device("usb_port", port)
    return port


def _require_device(argument: str, path: str) -> None:
    if not Path(path).exists():
        there = ", ".join(sorted(str(port) for kind in ("ttyACM*", "ttyUSB*") for port in Path("/dev").glob(kind)))
        found = f"there are: {there}" if there else "there is none: is the arm plugged in?"
        raise ArgumentError(f"{argument}: no such device {path}; {found}")


def graph(
    arguments: Mapping[str, str],
    robot_description: str,
    usb_port: str,
    controllers: Path | None = None,
    cameras: Sequence[NodeSpec] = (),
) -> list[NodeSpec]:
    """The nodes to start, in order; their parameters are those of config/parameters.yaml and what the arguments say.

    Servo hardware is `so100_driver`, or with ros2_control's parameter file `controllers` the controller_manager and its
    controllers, under the same topics. `cameras` are the nodes of real ones.
    """
    configured = yaml.safe_load(PARAMETERS_FILE.read_text())
    embodiment, seed = arguments["embodiment"], int(arguments["seed"])
    sim_time = arguments["use_sim_time"] == "true"
    priority = {} if arguments["real_time"] == "true" else {"thread_priority": 0}

    def node(package: str, name: str, **parameters: Any) -> NodeSpec:
        timed = {} if name == "simulator" or not sim_time else {"use_sim_time": True}
        merged = {**(configured.get(name) or {}).get("ros__parameters", {}), **parameters, **timed}
        return NodeSpec(package, name, name, merged, managed=package == "smolvla_ros")

    policy = node(
        "smolvla_ros",
        "policy",
        embodiment=embodiment,
        policy=arguments["policy"],
        device=arguments["device"],
        engine=arguments["engine"],
        seed=seed,
        robots=arguments["robots"].split(","),
        **priority,
        **(OVER_NETWORK if arguments["side"] == "policy" else {}),
    )
    if arguments["side"] == "policy":
        return [policy]
    nodes = []
    if arguments["hardware_type"] == "mujoco":
        world = {"embodiment": embodiment, "usb_port": usb_port, "seed": seed}
        nodes.append(node("smolvla_ros", "simulator", **world, publish_clock=sim_time))
    elif arguments["hardware_type"] == "virtual":
        nodes.append(NodeSpec("so100_hardware", "so100_virtual_bus", "so100_virtual_bus", {}, ("--link", usb_port)))
    if controllers is not None:
        nodes += _control_nodes(controllers, {"use_sim_time": True} if sim_time else {})
    else:
        # a simulated bus appears when its process is up, a real one is there or is not
        patience = {} if arguments["hardware_type"] == "real" else {"port_timeout_s": SIMULATED_BUS_TIMEOUT_S}
        settings = {"robot_description": robot_description, **patience, **priority}
        nodes.append(node("so100_hardware", "so100_driver", **settings))
    nodes += cameras
    leader = arguments["leader_port"]
    if leader:
        arms = {"embodiment": embodiment, "leader_embodiment": arguments["leader_embodiment"]}
        nodes.append(node("so100_hardware", "so100_leader", usb_port=leader, **arms))
    else:
        mode = {} if arguments["mode"] == "async" else {"mode": arguments["mode"]}
        nodes += [policy] if arguments["side"] == "all" else []
        nodes.append(node("smolvla_ros", "executor", embodiment=embodiment, **mode, **priority))
    if "true" in (arguments["display"], arguments["use_rviz"]):
        nodes.append(node("smolvla_ros", "motion_display", embodiment=embodiment))
    if arguments["record"] == "true":
        folder, images = str(Path(arguments["record_folder"]).resolve()), arguments["record_images"]
        # a policy's tasks are followed; who leads an arm says when an episode begins and ends
        when = {"instruction": arguments["instruction"]} if leader else {"automatic": True}
        recorder = {"embodiment": embodiment, "folder": folder, "image_transport": images, **when}
        nodes.append(node("smolvla_ros", "recorder", **recorder))
    return nodes


def _control_nodes(controllers: Path, clock: Mapping[str, Any]) -> list[NodeSpec]:
    """controller_manager, which takes the URDF from the topic robot_description, and what fills it: the policy's
    controllers active, MoveIt's and the stream's ready to be switched to by the arbiter.
    """
    first = SOURCES["policy"]
    others = tuple(name for source, names in SOURCES.items() if source != "policy" for name in names)

    def spawner(name: str, *arguments: str) -> NodeSpec:
        return NodeSpec("controller_manager", "spawner", name, {}, arguments, lasting=False)

    wait = ("--controller-manager", "controller_manager", "--controller-manager-timeout", f"{SPAWN_TIMEOUT_S:g}")
    return [
        NodeSpec("controller_manager", "ros2_control_node", "controller_manager", clock, parameter_file=controllers),
        spawner("spawn_active_controllers", "joint_state_broadcaster", *first, *wait),
        spawner("spawn_other_controllers", *others, "--inactive", *wait),
        NodeSpec("smolvla_ros", "arbiter", "arbiter", clock),
    ]
