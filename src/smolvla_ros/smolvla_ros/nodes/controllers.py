"""What gets the executor's motion: a controller that takes trajectories, or one that takes the position for now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.nodes.conversions import trajectory_message

TRAJECTORY, POSITION = "joint_trajectory_controller", "forward_position_controller"
CONTROLLERS = (TRAJECTORY, POSITION)


class ControllerError(ValueError):
    """A controller that the executor does not know. The message names those that it does."""


Goal: TypeAlias = Callable[[], np.ndarray | None]
"""The position for now (joints,); None while nothing is under way."""


class Controller(Protocol):
    """`message` is what to publish, or None: a trajectory where there is a new one, or the position for now."""

    publisher: Publisher

    def message(self, trajectory: Trajectory | None, goal: Goal) -> object | None: ...


class TrajectoryController:
    """joint_trajectory_controller has all rows that are queued: a pause of the executor's process is not felt."""

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        self._names = names
        self.publisher = node.create_publisher(JointTrajectory, f"{TRAJECTORY}/joint_trajectory", QoSProfile(depth=1))

    def message(self, trajectory: Trajectory | None, goal: Goal) -> JointTrajectory | None:
        return None if trajectory is None else trajectory_message(trajectory, self._names)


class PositionController:
    """forward_position_controller stays where it was told to be last: it is told at the executor's `rate`."""

    def __init__(self, node: Node) -> None:
        self.publisher = node.create_publisher(Float64MultiArray, f"{POSITION}/commands", QoSProfile(depth=1))

    def message(self, trajectory: Trajectory | None, goal: Goal) -> Float64MultiArray | None:
        position = goal()
        return None if position is None else Float64MultiArray(data=position.tolist())


def make_controller(name: str, node: Node, joint_names: Sequence[str]) -> Controller:
    """Raises ControllerError."""
    if name not in CONTROLLERS:
        raise ControllerError(f"controller: expected one of {', '.join(CONTROLLERS)}, found '{name}'")
    return TrajectoryController(node, joint_names) if name == TRAJECTORY else PositionController(node)
