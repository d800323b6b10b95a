"""A trajectory as MoveIt's rviz displays show it. Only here is moveit_msgs imported, which only ROS hosts have."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory

try:
    from moveit_msgs.msg import DisplayTrajectory, RobotState, RobotTrajectory
except ImportError:
    DisplayTrajectory = None

TOPIC = "display_planned_path"  # where move_group puts its own


def publisher(node: Node) -> Publisher | None:
    """None where moveit_msgs is not installed."""
    if DisplayTrajectory is None:
        node.get_logger().debug(f"{TOPIC} is left out: moveit_msgs is not installed")
        return None
    return node.create_publisher(DisplayTrajectory, TOPIC, QoSProfile(depth=1))


def message(trajectory: JointTrajectory) -> Any:
    """A DisplayTrajectory that starts where the trajectory does. It names no model: rviz takes the one that it has."""
    start = RobotState()
    start.joint_state.header = trajectory.header
    start.joint_state.name = trajectory.joint_names
    start.joint_state.position = trajectory.points[0].positions if trajectory.points else []
    return DisplayTrajectory(trajectory=[RobotTrajectory(joint_trajectory=trajectory)], trajectory_start=start)
