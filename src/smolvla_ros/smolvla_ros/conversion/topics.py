"""Which topics of a bag are an embodiment's joint states, cameras and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smolvla_ros.bags.errors import BagError, mismatch
from smolvla_ros.bags.reader import Bag
from smolvla_ros.embodiment import Camera, Embodiment

JOINT_STATES = "joint_states"
TRAJECTORIES, POSITIONS = "joint_trajectory_controller/joint_trajectory", "forward_position_controller/commands"
EXECUTOR_STATE = "executor/state"
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
FORWARDED = "std_msgs/msg/Float64MultiArray"


@dataclass(frozen=True)
class Sources:
    """Topics of a bag. cameras: topic -> the camera. commands: of the controllers that were told something.
    executor_state: None where the bag has none.
    """

    joint_states: str
    cameras: Mapping[str, Camera]
    commands: tuple[str, ...]
    executor_state: str | None


def sources(bag: Bag, embodiment: Embodiment) -> Sources:
    """Names may stand in any one namespace. Raw images where both kinds were recorded. Raises BagError."""
    joint_states = _find(bag, JOINT_STATES, ("sensor_msgs/msg/JointState",))
    if joint_states is None:
        raise _absent(bag, JOINT_STATES)
    cameras = {}
    for camera in embodiment.cameras:
        name = camera.topic.lstrip("/")
        topic = _find(bag, name, (IMAGE,)) or _find(bag, f"{name}/compressed", (COMPRESSED,))
        if topic is None:
            raise _absent(bag, f"{name} or {name}/compressed")
        cameras[topic] = camera
    trajectories = _find(bag, TRAJECTORIES, ("trajectory_msgs/msg/JointTrajectory",))
    positions = _find(bag, POSITIONS, (FORWARDED,))
    return Sources(
        joint_states,
        cameras,
        tuple(topic for topic in (trajectories, positions) if topic),
        _find(bag, EXECUTOR_STATE, ("smolvla_msgs/msg/ExecutorState",)),
    )


def _find(bag: Bag, name: str, types: tuple[str, ...]) -> str | None:
    """The topic of that name, in the root or another namespace, that has messages."""
    found = [
        topic
        for topic, message_type in bag.types.items()
        if message_type in types and bag.counts.get(topic) and (topic == f"/{name}" or topic.endswith(f"/{name}"))
    ]
    if len(found) > 1 and f"/{name}" not in found:
        raise mismatch(f"{bag.path}: {name}", "one robot's topics", ", ".join(found), "record one robot a bag")
    return f"/{name}" if f"/{name}" in found else (found[0] if found else None)


def _absent(bag: Bag, name: str) -> BagError:
    there = ", ".join(sorted(topic for topic, count in bag.counts.items() if count)) or "none"
    remedy = "record it too, or give the embodiment file of the robot that was recorded (--embodiment)"
    return mismatch(f"{bag.path}: topics", f"messages of {name}", there, remedy)
