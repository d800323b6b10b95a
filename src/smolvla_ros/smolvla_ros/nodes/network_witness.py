"""What arrives on one side of a network, for `smolvla bench network`: images with the policy's QoS, executor states.

    python -m smolvla_ros.nodes.network_witness images|states file.json

It writes the file at SIGINT or SIGTERM. Times are the monotonic clock's, which all processes of a host share.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage

from smolvla_msgs.msg import ExecutorState
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes.newest import REPEATED_NEWEST
from smolvla_ros.nodes.process import run_node

FIELDS = ("mode", "clock_offset", "clock_offset_error", "network_time", "requests_timed_out", "chunks_refused")


class NetworkWitness(Node):
    """`seen`: for each camera (time, bytes) of its frames; under `states` (time, *FIELDS)."""

    def __init__(self, what: str, file: Path) -> None:
        super().__init__(f"witness_of_{what}")
        self._file, self._seen = file, dict[str, list[Any]]()
        if what == "states":
            self.create_subscription(ExecutorState, "executor/state", self._on_state, QoSProfile(depth=10))
        else:
            for camera in load_embodiment("").cameras:
                topic, on_image = f"{camera.topic.lstrip('/')}/compressed", partial(self._on_image, camera.name)
                self.create_subscription(CompressedImage, topic, on_image, REPEATED_NEWEST)
        self.create_timer(0.2, lambda: None)  # signals are looked at between two callbacks

    def _on_image(self, camera: str, message: CompressedImage) -> None:
        self._seen.setdefault(camera, []).append((time.monotonic(), len(message.data)))

    def _on_state(self, message: ExecutorState) -> None:
        self._seen.setdefault("states", []).append((time.monotonic(), *(getattr(message, name) for name in FIELDS)))

    def close(self) -> None:
        self._file.write_text(json.dumps(self._seen))


if __name__ == "__main__":
    run_node(lambda: NetworkWitness(sys.argv[1], Path(sys.argv[2])), ())
