"""Who else sends trajectories to the arm's controller, by what the graph says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory

# longer than a trajectory of our own takes to come back to us
REMEMBERED = 32


class Rivals:
    """State: which trajectories were ours. `on_foreign` is called for each that somebody else has sent."""

    def __init__(self, node: Node, publisher: Publisher, on_foreign: Callable[[], None]) -> None:
        self._node, self._publisher, self._on_foreign = node, publisher, on_foreign
        self._sent: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)
        node.create_subscription(JointTrajectory, publisher.topic_name, self._on_trajectory, QoSProfile(depth=10))

    def sent(self, trajectory: JointTrajectory) -> None:
        """One of ours, to be known when it comes back."""
        self._sent.append(_mark(trajectory))

    def names(self) -> str:
        """The other nodes that publish the controller's topic, a second one of this name too; "" for none."""
        infos = self._node.get_publishers_info_by_topic(self._publisher.topic_name)
        names = sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos)
        if (own := self._node.get_fully_qualified_name()) in names:
            names.remove(own)
        return ", ".join(names)

    def _on_trajectory(self, trajectory: JointTrajectory) -> None:
        if _mark(trajectory) not in self._sent:
            self._on_foreign()


def _mark(trajectory: JointTrajectory) -> tuple[int, int, int]:
    stamp = trajectory.header.stamp
    return stamp.sec, stamp.nanosec, len(trajectory.points)
