"""Who else moves the arm by its controller, by what the graph says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

Motion: TypeAlias = JointTrajectory | Float64MultiArray
# longer than a message of our own takes to come back to us
REMEMBERED = 128


class Rivals:
    """State: which messages were ours. `on_foreign` is called for each that somebody else has sent."""

    def __init__(self, node: Node, publisher: Publisher, on_foreign: Callable[[], None]) -> None:
        self._node, self._publisher, self._on_foreign = node, publisher, on_foreign
        self._sent: deque[tuple[float, ...]] = deque(maxlen=REMEMBERED)
        node.create_subscription(publisher.msg_type, publisher.topic_name, self._on_message, QoSProfile(depth=10))

    def sent(self, message: Motion) -> None:
        """One of ours, to be known when it comes back."""
        self._sent.append(_mark(message))

    def names(self) -> str:
        """The other nodes that publish the controller's topic, a second one of this name too; "" for none."""
        infos = self._node.get_publishers_info_by_topic(self._publisher.topic_name)
        names = sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos)
        if (own := self._node.get_fully_qualified_name()) in names:
            names.remove(own)
        return ", ".join(names)

    def _on_message(self, message: Motion) -> None:
        if _mark(message) not in self._sent:
            self._on_foreign()


def _mark(message: Motion) -> tuple[float, ...]:
    if isinstance(message, Float64MultiArray):
        return tuple(message.data)
    stamp = message.header.stamp
    return stamp.sec, stamp.nanosec, len(message.points)
