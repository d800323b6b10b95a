"""The motion display node: what the arm is about to do, for rviz, Foxglove and MoveIt. It only listens.

`motion_display/markers`: where the finger tips go, as `chunk` (dots: the rows that the policy has asked for) and
`motion` (a line: what passed the executor's filter and was sent to the controller), and `state`, the executor's mode
and why, as text above the arm. `display_planned_path`: the same motion as MoveIt shows its own plans, where moveit_msgs
is installed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker, MarkerArray

from smolvla_msgs.msg import ActionChunk, ExecutorState
from smolvla_ros.embodiment import EmbodimentError, load_embodiment
from smolvla_ros.execution.safety import MotionLimits, check_rows, joint_columns
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.nodes import displayed_trajectory
from smolvla_ros.nodes.conversions import rows_array, seconds
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.motion_markers import chunk_marker, motion_marker, state_marker
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.simulation.arm import arm_of

PARAMETERS = (Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),)
REPEAT_WARNING_S = 10.0
OPERATOR_ERRORS = (EmbodimentError,)


class MotionDisplayNode(ManagedNode):
    """Active it shows; without anybody looking it computes nothing."""

    def __init__(self) -> None:
        super().__init__("motion_display", PARAMETERS, OPERATOR_ERRORS)

    def configure(self) -> None:
        embodiment = load_embodiment(self.settings["embodiment"])
        self._kinematics, self._limits = arm_of(embodiment).kinematics, MotionLimits.of(embodiment)
        self._markers = self.create_publisher(MarkerArray, "motion_display/markers", QoSProfile(depth=5))
        self._planned = displayed_trajectory.publisher(self)

    def activate(self) -> None:
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, QoSProfile(depth=1))
        self.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._on_trajectory, QoSProfile(depth=1)
        )
        self.create_subscription(ExecutorState, "executor/state", self._on_state, QoSProfile(depth=1))

    def _on_chunk(self, message: ActionChunk) -> None:
        if self._watched and message.status == ActionChunk.STATUS_OK:
            way = self._way(message.joint_names, rows_array(message.positions), seconds(message.step))
            if way is not None:
                self._show(chunk_marker(way, message.observation_stamp))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if self._planned is not None and self._planned.get_subscription_count():
            self._planned.publish(displayed_trajectory.message(message))
        if self._watched and message.points:
            lasts = message.points[-1].time_from_start
            way = self._way(
                message.joint_names, np.array([point.positions for point in message.points]), seconds(lasts)
            )
            if way is not None:
                self._show(motion_marker(way, message.header.stamp, lasts))

    def _on_state(self, message: ExecutorState) -> None:
        if self._watched:
            self._show(state_marker(message))

    def _way(self, names: Sequence[str], rows: np.ndarray, step_s: float) -> np.ndarray | None:
        """Where rows (rows, joints) bring the finger tips, (rows, 3) m; None for another arm's, or no rows."""
        try:
            columns = joint_columns(self._limits.names, names)
            check_rows(rows, step_s, self._limits)
        except ChunkRejected as rejected:
            self.get_logger().warning(f"not shown: {rejected}", throttle_duration_sec=REPEAT_WARNING_S)
            return None
        return self._kinematics.pinch_path(rows[:, columns])

    @property
    def _watched(self) -> bool:
        return bool(self._markers.get_subscription_count())

    def _show(self, marker: Marker) -> None:
        self._markers.publish(MarkerArray(markers=[marker]))


def main() -> None:
    run_node(MotionDisplayNode, OPERATOR_ERRORS)


if __name__ == "__main__":
    main()
