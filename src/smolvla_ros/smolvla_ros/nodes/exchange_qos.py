"""How requests, chunks and compressed images travel: repeated until they arrive, but not once they are of no use.

A lifespan is the publisher's alone: a subscription's would compare the publisher's clock with its own.
"""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import QoSProfile

REQUEST_LIFE_S = 5.0
"""The executor's request_timeout: nobody waits any longer for the answer."""
CHUNK_LIFE_S = 5.0
"""The executor's observation_timeout: an older chunk is refused."""

REQUEST = QoSProfile(depth=1, lifespan=Duration(seconds=REQUEST_LIFE_S))
CHUNK = QoSProfile(depth=1, lifespan=Duration(seconds=CHUNK_LIFE_S))
COMPRESSED_IMAGE = QoSProfile(depth=30, lifespan=Duration(seconds=1.0))
"""A second of frames: what a round trip and a repetition take; subscriptions without repetition get it, too."""
RECEIVED = QoSProfile(depth=1)
