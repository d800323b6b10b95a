"""Who else moves the arm by its controller, by what the graph says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.topic_endpoint_info import TopicEndpointInfo
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

Motion: TypeAlias = JointTrajectory | Float64MultiArray
# longer than a message of our own takes to come back to us
REMEMBERED = 128
# rmw_dds_common's names for a publisher that is known before its node is, and for one without a node
NAMELESS = {"_NODE_NAME_UNKNOWN_", "_CREATED_BY_BARE_DDS_APP_"}


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
        """The other nodes that publish the controller's topic, a second one of this name too; "" for none.

        A publisher counts before its node's name has come.
        """
        names = sorted(map(_name, self._node.get_publishers_info_by_topic(self._publisher.topic_name)))
        if (own := self._node.get_fully_qualified_name()) in names:
            names.remove(own)
        return ", ".join(names)

    def _on_message(self, message: Motion) -> None:
        if _mark(message) not in self._sent:
            self._on_foreign()


def _name(info: TopicEndpointInfo) -> str:
    if info.node_name in NAMELESS:
        return "a publisher of a node whose name is not known"
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}"


def _mark(message: Motion) -> tuple[float, ...]:
    if isinstance(message, Float64MultiArray):
        return tuple(message.data)
    stamp = message.header.stamp
    return stamp.sec, stamp.nanosec, len(message.points)
