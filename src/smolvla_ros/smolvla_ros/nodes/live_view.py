"""Listens to a running graph for a viewer. What comes in is handed on as arrays; nothing is published."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from smolvla_msgs.msg import ActionChunk, ExecutorState
from smolvla_ros.bags.errors import ImageError
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.execution.safety import MotionLimits, check_rows, joint_columns
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.nodes.conversions import image_array, joint_positions, point_times, row_times, rows_array, seconds
from smolvla_ros.nodes.newest import Newest
from smolvla_ros.nodes.operator import mode_name
from smolvla_ros.runtime.interrupt import uninterrupted
from smolvla_ros.simulation.arm import arm_of

IMAGE_PERIOD_S, JOINT_PERIOD_S = 0.1, 1 / 30
LISTEN_S = 0.1


class View(Protocol):
    """What shows it: runtime/rerun_log.py."""

    def image(self, camera: str, stamp_s: float, image: np.ndarray) -> None: ...

    def joints(self, stamp_s: float, positions: np.ndarray) -> None: ...

    def chunk(self, stamps_s: np.ndarray, rows: np.ndarray, way: np.ndarray) -> None: ...

    def motion(self, stamps_s: np.ndarray, rows: np.ndarray, way: np.ndarray) -> None: ...

    def state(self, stamp_s: float, mode: str, reason: str, instruction: str, queued_rows: int) -> None: ...


class LiveView(Node):
    """State: the newest image and joint state shown. Images at most ten times a second, joints thirty."""

    def __init__(self, embodiment: Embodiment, view: View, **node_arguments: Any) -> None:
        super().__init__("live_view", **node_arguments)
        self._limits, self._kinematics = MotionLimits.of(embodiment), arm_of(embodiment).kinematics
        self._view = view
        self._shown_s: dict[str, float] = {}
        self._images = {camera.name: Newest(self, Image, camera.topic.lstrip("/")) for camera in embodiment.cameras}
        self._joint_states = Newest(self, JointState, "joint_states")
        self.create_timer(IMAGE_PERIOD_S, self._show_images)
        self.create_timer(JOINT_PERIOD_S, self._show_joints)
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, QoSProfile(depth=5))
        self.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._on_trajectory, QoSProfile(depth=5)
        )
        self.create_subscription(ExecutorState, "executor/state", self._on_state, QoSProfile(depth=5))

    def _show_images(self) -> None:
        for camera, newest in self._images.items():
            message = newest.get()
            if message is not None and self._news(camera, message):
                try:
                    self._view.image(camera, seconds(message.header.stamp), image_array(message))
                except ImageError as error:
                    self.get_logger().warning(f"{newest.topic}: not shown: {error}", throttle_duration_sec=10.0)

    def _show_joints(self) -> None:
        message = self._joint_states.get()
        if message is not None and self._news("joint_states", message):
            positions = joint_positions(message, self._limits.names)
            if positions is not None:
                self._view.joints(seconds(message.header.stamp), positions)

    def _on_chunk(self, message: ActionChunk) -> None:
        if message.status == ActionChunk.STATUS_OK:
            rows = self._rows(message.joint_names, rows_array(message.positions), seconds(message.step))
            if rows is not None:
                stamps_s = row_times(message.observation_stamp, len(rows), message.step)
                self._view.chunk(stamps_s, rows, self._kinematics.pinch_path(rows))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if not message.points:
            return
        positions = np.array([point.positions for point in message.points])
        rows = self._rows(message.joint_names, positions, seconds(message.points[-1].time_from_start))
        if rows is not None:
            self._view.motion(point_times(message), rows, self._kinematics.pinch_path(rows))

    def _on_state(self, message: ExecutorState) -> None:
        stamp_s = seconds(message.header.stamp)
        self._view.state(stamp_s, mode_name(message), message.reason, message.instruction, message.queue_depth)

    def _rows(self, names: Sequence[str], rows: np.ndarray, step_s: float) -> np.ndarray | None:
        """(rows, joints) in the embodiment's order; None for those of another arm, or none at all."""
        try:
            columns = joint_columns(self._limits.names, names)
            check_rows(rows, step_s, self._limits)
        except ChunkRejected as rejected:
            self.get_logger().warning(f"not shown: {rejected}", throttle_duration_sec=10.0)
            return None
        return rows[:, columns]

    def _news(self, name: str, message: Any) -> bool:
        """Whether this message has not been shown yet."""
        stamp_s = seconds(message.header.stamp)
        if self._shown_s.get(name) == stamp_s:
            return False
        self._shown_s[name] = stamp_s
        return True


def show(embodiment: Embodiment, view: View, namespace: str, duration_s: float, say: Callable[[str], None]) -> None:
    """Listens for so long, until Ctrl-C where it is 0."""
    rclpy.init(args=[], signal_handler_options=rclpy.SignalHandlerOptions.NO)
    node = LiveView(embodiment, view, namespace=namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    say("listening; Ctrl-C ends it" if not duration_s else f"listening for {duration_s:g} s")
    end_s = time.monotonic() + duration_s if duration_s else float("inf")
    try:
        while time.monotonic() < end_s:
            with uninterrupted():
                executor.spin_once(timeout_sec=LISTEN_S)
    except KeyboardInterrupt:
        say("stopping")
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
