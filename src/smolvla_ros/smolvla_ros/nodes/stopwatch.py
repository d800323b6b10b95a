"""When chunks and trajectories were published, by the stamps that the middleware gives them as they leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory

from smolvla_msgs.msg import ActionChunk
from smolvla_ros.nodes.conversions import NANOSECONDS, seconds

ANSWERED_WITHIN_S = 1.0


class Stopwatch:
    """State: what has been heard. Spun by the node's owner."""

    def __init__(self, node: Node) -> None:
        self._chunks: list[tuple[float, ActionChunk]] = []
        self._trajectories_s: list[float] = []
        self._own_delays_s: list[float] = []
        depth = QoSProfile(depth=50)
        node.create_subscription(ActionChunk, "action_chunk", self._on_chunk, depth)
        node.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, depth)
        node.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._on_trajectory, depth
        )

    def overheads_s(self) -> np.ndarray:
        """From each chunk that was executed to the trajectory that it led to."""
        sent = np.sort(self._trajectories_s)
        found = [float(sent[sent > at_s].min(initial=np.inf)) - at_s for at_s, _ in self._chunks]
        return np.array([wait_s for wait_s in found if wait_s < ANSWERED_WITHIN_S])

    def own_delay_p99_s(self) -> float:
        """The executor's own, from a chunk handed to it to its trajectory published: what it told last."""
        return self._own_delays_s[-1] if self._own_delays_s else 0.0

    def policy_overheads_s(self) -> np.ndarray:
        """From the moment at which inference began with an observation to its chunk, less the policy's own stages."""
        return np.array(
            [
                at_s - seconds(chunk.observation_stamp) - chunk.latency.observation_age - _own_s(chunk)
                for at_s, chunk in self._chunks
            ]
        )

    def latencies_s(self) -> np.ndarray:
        """From the observation's stamp to the chunk published."""
        return np.array([at_s - seconds(chunk.observation_stamp) for at_s, chunk in self._chunks])

    def _on_chunk(self, message: ActionChunk, info: dict[str, Any]) -> None:
        if message.status == ActionChunk.STATUS_OK:
            self._chunks.append((info["source_timestamp"] / NANOSECONDS, message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        told = [value for status in message.status for value in status.values if value.key == "own_delay_p99_s"]
        self._own_delays_s += [float(value.value) for value in told]

    def _on_trajectory(self, _message: JointTrajectory, info: dict[str, Any]) -> None:
        self._trajectories_s.append(info["source_timestamp"] / NANOSECONDS)


def _own_s(chunk: ActionChunk) -> float:
    split = chunk.latency
    return float(split.preprocess + split.encode + split.denoise + split.postprocess)
