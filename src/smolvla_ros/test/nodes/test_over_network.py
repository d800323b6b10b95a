"""Policy and executor with a link between them that delays, loses and breaks: this process carries their messages."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, JointState
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.network.link import Conditions, LossyLine
from smolvla_ros.nodes.conversions import duration_message, seconds, time_message
from smolvla_ros.nodes.exchange_qos import COMPRESSED_IMAGE, RECEIVED

from smolvla_msgs.action import RunTask
from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState

ROBOT = load_embodiment()


class Carrier:
    """Takes messages of one topic to another over a LossyLine; a lost one is gone, as after its lifespan."""

    def __init__(self, graph, message_type: type, here: str, there: str, qos: Any, seed: int) -> None:
        self.line, self.conditions, self._type = LossyLine(seed), Conditions(), message_type
        self._out = graph.node.create_publisher(message_type, there, qos)
        graph.node.create_subscription(message_type, here, self._take, qos)
        graph.node.create_timer(0.005, self._deliver)

    def _take(self, message: Any) -> None:
        self.line.put(bytes(serialize_message(message)), time.monotonic(), self.conditions)

    def _deliver(self) -> None:
        for frame in self.line.arrived(time.monotonic(), self.conditions):
            self._out.publish(deserialize_message(frame, self._type))


class RobotAndPolicyFarApart:
    """The executor beside this process's joint states and cameras, the policy in the namespace /far."""

    def __init__(self, graph, checkpoint) -> None:
        self.graph = graph
        over_network = {"image_transport": "compressed", "image_reliability": "reliable", "image_max_age": 1.0}
        graph.start("policy", policy=str(checkpoint), robots=["far"], **over_network)
        graph.start("executor", request_timeout=1.5, max_jump=7.0, fault_time_limit=60.0)
        node = graph.node
        self.states: list[ExecutorState] = []
        self.chunks: list[tuple[float, ActionChunk]] = []
        node.create_subscription(ExecutorState, "executor/state", self.states.append, 5)
        node.create_subscription(ActionChunk, "action_chunk", lambda m: self.chunks.append((time.time(), m)), RECEIVED)
        self._joints = node.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self._images = {}
        carried = [(JointState, "joint_states", qos_profile_sensor_data), (ChunkRequest, "chunk_request", RECEIVED)]
        for camera in ROBOT.cameras:
            topic = f"{camera.topic.lstrip('/')}/compressed"
            self._images[topic] = node.create_publisher(CompressedImage, topic, COMPRESSED_IMAGE)
            carried.append((CompressedImage, topic, COMPRESSED_IMAGE))
        self.carriers = [
            Carrier(graph, each, name, f"far/{name}", qos, seed) for seed, (each, name, qos) in enumerate(carried)
        ]
        self.carriers.append(Carrier(graph, ActionChunk, "far/action_chunk", "action_chunk", RECEIVED, seed=9))
        self._jpeg = cv2.imencode(".jpg", np.zeros((48, 64, 3), dtype=np.uint8))[1].tobytes()
        node.create_timer(0.02, self._observe_joints)
        node.create_timer(0.1, self._observe_images)
        self._client = ActionClient(node, RunTask, "executor/run_task")

    def _observe_joints(self) -> None:
        message = JointState(name=list(ROBOT.joint_names), position=ROBOT.home_rad.tolist())
        message.header.stamp = time_message(time.time())
        self._joints.publish(message)

    def _observe_images(self) -> None:
        for publisher in self._images.values():
            image = CompressedImage(format="jpeg", data=self._jpeg)
            image.header.stamp = time_message(time.time())
            publisher.publish(image)

    def link(self, conditions: Conditions) -> None:
        for carrier in self.carriers:
            carrier.conditions = conditions

    def begin(self) -> None:
        self.graph.wait(self._client.server_is_ready, 90.0)
        self.graph.wait(lambda: self.graph.node.count_subscribers("far/chunk_request") and self.states, 90.0)
        goal = RunTask.Goal(instruction="go home", time_limit=duration_message(100.0))
        sent = self._client.send_goal_async(goal)
        self.graph.wait(sent.done)
        assert sent.result().accepted

    def good_chunks(self, since_s: float) -> list[tuple[float, ActionChunk]]:
        """Arrival and chunk of those with rows that came since."""
        return [each for each in self.chunks if each[0] > since_s and each[1].status == ActionChunk.STATUS_OK]

    def wait_mode(self, mode: int) -> ExecutorState:
        count = len(self.states)
        return self.graph.wait(lambda: next((s for s in self.states[count:] if s.mode == mode), None))


@pytest.fixture
def pair(graph, checkpoint) -> RobotAndPolicyFarApart:
    return RobotAndPolicyFarApart(graph, checkpoint)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    from smolvla_ros.cli import main as smolvla

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    assert smolvla(["checkpoint", "init", str(folder)]) == 0
    return folder


def test_chunks_come_over_a_slow_line_that_loses_some_and_none_is_stale_after_an_outage(
    pair: RobotAndPolicyFarApart,
) -> None:
    slow = Conditions(delay_s=0.1, loss=0.1)
    pair.link(slow)
    pair.begin()
    pair.wait_mode(ExecutorState.MODE_RUNNING)
    begun_s = time.time()
    pair.graph.wait(lambda: len(pair.good_chunks(begun_s)) >= 5)
    state = pair.states[-1]
    assert state.network_time >= 0.2
    assert abs(state.clock_offset) <= state.clock_offset_error + 1e-3
    for arrival_s, chunk in pair.good_chunks(begun_s):
        assert arrival_s - seconds(chunk.observation_stamp) >= 0.2

    pair.link(Conditions(broken=True))
    held = pair.wait_mode(ExecutorState.MODE_STARVED)
    assert held.queue_depth == 0
    pair.graph.wait(lambda: pair.states[-1].requests_timed_out > state.requests_timed_out)
    pair.graph.wait(lambda: "no answer" in pair.states[-1].reason)
    pair.link(slow)
    whole_s = time.time()
    pair.wait_mode(ExecutorState.MODE_RUNNING)
    assert pair.graph.wait(lambda: pair.good_chunks(whole_s))
    for _, chunk in pair.good_chunks(whole_s):
        assert seconds(chunk.observation_stamp) > whole_s - 1.0
