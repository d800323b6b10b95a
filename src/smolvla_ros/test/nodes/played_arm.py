"""Plays driver and policy for an executor in a process of its own."""

from __future__ import annotations

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes.conversions import duration_message, rows_message, time_message
from trajectory_msgs.msg import JointTrajectory

from smolvla_msgs.action import RunTask
from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState

ROBOT = load_embodiment()
TASK = "put the red cube in the blue box"
RESULT = RunTask.Result


class Arm:
    """Joint states at 50 Hz, a chunk for each request."""

    def __init__(self, graph) -> None:
        self.graph, self.answers, self.flows = graph, True, True
        self.names, self.swing_rad, self.lag_s = list(ROBOT.joint_names), 0.0, 0.0
        node = graph.node
        self._joint_states = node.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self._chunks = node.create_publisher(ActionChunk, "action_chunk", 5)
        self.requests: list[ChunkRequest] = []
        self.trajectories: list[JointTrajectory] = []
        self.states: list[ExecutorState] = []
        self.diagnostics: list[DiagnosticArray] = []
        node.create_subscription(ChunkRequest, "chunk_request", self._on_request, 5)
        node.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self.trajectories.append, 5
        )
        node.create_subscription(ExecutorState, "executor/state", self.states.append, 5)
        node.create_subscription(DiagnosticArray, "diagnostics", self.diagnostics.append, 5)
        node.create_timer(0.02, self._publish_joint_state)
        self._client = ActionClient(node, RunTask, "executor/run_task")

    def _publish_joint_state(self) -> None:
        if self.flows:
            message = JointState(name=self.names, position=ROBOT.home_rad.tolist())
            message.header.stamp = time_message(time.time())
            self._joint_states.publish(message)

    def _on_request(self, request: ChunkRequest) -> None:
        self.requests.append(request)
        if self.answers:
            self.send(request)

    def send(self, request: ChunkRequest, **changes) -> None:
        now_s = time.time() - self.lag_s
        swing = self.swing_rad * np.sin(2 * (now_s + np.arange(50) / 30))
        chunk = ActionChunk(
            request_id=request.id,
            policy="still",
            instruction=request.instruction,
            joint_names=list(ROBOT.joint_names),
            positions=rows_message(ROBOT.home_rad + 0.01 + swing[:, None]),
            step=duration_message(1 / 30),
            observation_stamp=time_message(now_s),
        )
        for name, value in changes.items():
            setattr(chunk, name, value)
        self._chunks.publish(chunk)

    def give(self, instruction: str = TASK, time_limit_s: float = 60.0, queue: int = 0):
        """Sends a goal; returns its handle and the future of its result."""
        self.graph.wait(self._client.server_is_ready)
        self.graph.wait(lambda: self.states)
        sent = self.ask(instruction, time_limit_s, queue)
        self.graph.wait(sent.done)
        handle = sent.result()
        return handle, (handle.get_result_async() if handle.accepted else None)

    def ask(self, instruction: str = TASK, time_limit_s: float = 60.0, queue: int = 0):
        """Sends a goal; returns the future of its handle."""
        limit = duration_message(time_limit_s)
        goal = RunTask.Goal(instruction=instruction, time_limit=limit, queue_on_start=queue)
        return self._client.send_goal_async(goal)

    def wait_mode(self, mode: int) -> ExecutorState:
        count = len(self.states)
        return self.graph.wait(lambda: next((s for s in self.states[count:] if s.mode == mode), None))

    def result(self, future):
        self.graph.wait(future.done)
        return future.result().result

    def diagnosed(self, key: str) -> str:
        """The newest value of a key in the executor's diagnostics; "" where it is not there."""
        own = [array.status[0] for array in self.diagnostics if array.status[0].name == "executor"]
        return next((pair.value for pair in own[-1].values if pair.key == key), "") if own else ""
