"""The newest message of a topic, taken from the middleware when it is asked for.

A callback for each message would wake Python 100 times a second for joint states and copy each image, to keep one of
them. The middleware keeps the newest by itself, and its queue of one is emptied at the reader's own pace and thread.
"""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE)
REPEATED_NEWEST = QoSProfile(depth=30, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
"""For what goes out in many packets over a network that loses some: one lost is sent again.

A message of which a packet is missing has a place in the queue until that has come; in a queue of one the next message
would push it out, and nothing would ever be mended.
"""


class NotSpun(CallbackGroup):
    """Entities of this group are left alone by rclpy's executors."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class Newest:
    """A subscription to one message. State: the newest so far. For one reading thread."""

    def __init__(self, node: Node, message_type: Any, topic: str, qos: QoSProfile = NEWEST) -> None:
        self._subscription = node.create_subscription(
            message_type, topic, lambda _message: None, qos, callback_group=NotSpun()
        )
        self._node, self._reliable = node, qos.reliability == ReliabilityPolicy.RELIABLE
        self._message: Any = None

    @property
    def topic(self) -> str:
        """With namespace and remappings."""
        return str(self._subscription.topic_name)

    @property
    def unheard(self) -> bool:
        """Whether it is published, but by none that offers what this subscription asks for."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        best_effort = [each.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for each in publishers]
        return self._reliable and bool(publishers) and all(best_effort)

    def get(self) -> Any:
        """The newest message; None before the first."""
        subscription = self._subscription
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, subscription.raw)) is not None:
                self._message = taken[0]
        return self._message
