"""A topic's messages as they are on the wire, all of them, taken in batches.

A callback a message would wake Python for each; here the middleware keeps them until the reader comes by. Messages that
it had to drop in the meantime show in the publisher's sequence numbers.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from smolvla_ros.nodes.newest import NotSpun


class Taken(NamedTuple):
    """arrival_ns: on the host's clock. sequence: None where several publishers count each for itself."""

    data: bytes
    arrival_ns: int
    sequence: int | None


class Tap:
    """A subscription that nobody spins. For one reading thread."""

    def __init__(self, node: Node, message_type: str, topic: str, depth: int, reliable: bool, latched: bool) -> None:
        profile = QoSProfile(
            depth=depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self._subscription = node.create_subscription(
            interface(message_type), topic, lambda _message: None, profile, raw=True, callback_group=NotSpun()
        )
        self._alone = True

    @property
    def topic(self) -> str:
        """With namespace and remappings."""
        return str(self._subscription.topic_name)

    def take(self) -> Iterator[Taken]:
        """What has come since the last time."""
        handle, kind = self._subscription.handle, self._subscription.msg_type
        with handle:
            while (taken := handle.take_message(kind, True)) is not None:
                data, about = taken
                arrival_ns = about["received_timestamp"] or about["source_timestamp"]
                yield Taken(data, arrival_ns, about["publication_sequence_number"] if self._alone else None)

    def count_publishers(self) -> None:
        """Sequence numbers are of use while one publisher counts alone."""
        self._alone = self._subscription.get_publisher_count() <= 1


def interface(message_type: str) -> Any:
    """The class of "sensor_msgs/msg/Image"."""
    package, kind, name = message_type.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)
