"""A topic as a bag describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FOREVER = {"sec": 9223372036, "nsec": 854775807}


@dataclass(frozen=True)
class Topic:
    """type: "sensor_msgs/msg/Image". definition: of the message and of all that it nests, as `ros2msg` has them.

    type_hash: "RIHS01_...", or empty. qos: the publishers' settings, by which `ros2 bag play` publishes.
    """

    name: str
    type: str
    definition: str
    type_hash: str = ""
    qos: tuple[dict[str, Any], ...] = ()


def qos_profile(depth: int, reliable: bool, latched: bool = False) -> dict[str, Any]:
    """As rosbag2 of Jazzy writes it (metadata version 9)."""
    return {
        "history": "keep_last",
        "depth": depth,
        "reliability": "reliable" if reliable else "best_effort",
        "durability": "transient_local" if latched else "volatile",
        "deadline": dict(FOREVER),
        "lifespan": dict(FOREVER),
        "liveliness": "automatic",
        "liveliness_lease_duration": dict(FOREVER),
        "avoid_ros_namespace_conventions": False,
    }
