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


class NotSpun(CallbackGroup):
    """Entities of this group are left alone by rclpy's executors."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class Newest:
    """A subscription with sensor QoS. State: the newest message so far. For one reading thread."""

    def __init__(self, node: Node, message_type: Any, topic: str) -> None:
        self._subscription = node.create_subscription(
            message_type, topic, lambda _message: None, NEWEST, callback_group=NotSpun()
        )
        self._message: Any = None

    @property
    def topic(self) -> str:
        """With namespace and remappings."""
        return str(self._subscription.topic_name)

    def get(self) -> Any:
        """The newest message; None before the first."""
        subscription = self._subscription
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, subscription.raw)) is not None:
                self._message = taken[0]
        return self._message
