from __future__ import annotations

import importlib
import sys
import types

import numpy as np
import pytest
from played_arm import ROBOT, Arm
from sensor_msgs.msg import JointState
from smolvla_ros.nodes import displayed_trajectory
from smolvla_ros.nodes.conversions import duration_message, rows_message
from smolvla_ros.nodes.motion_markers import state_marker
from smolvla_ros.simulation.arm import arm_of
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from smolvla_msgs.msg import ActionChunk, ExecutorState

KINEMATICS = arm_of(ROBOT).kinematics


def points(marker: Marker) -> np.ndarray:
    return np.array([[point.x, point.y, point.z] for point in marker.points])


def test_chunk_and_motion_are_shown_where_they_bring_the_finger_tips(graph) -> None:
    graph.start("executor")
    graph.start("motion_display")
    arm = Arm(graph)
    arm.swing_rad = 0.1
    shown: dict[str, Marker] = {}

    def keep(array: MarkerArray) -> None:
        shown.update({marker.ns: marker for marker in array.markers})

    graph.node.create_subscription(MarkerArray, "motion_display/markers", keep, 20)
    chunks: list[ActionChunk] = []
    graph.node.create_subscription(ActionChunk, "action_chunk", chunks.append, 5)
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    graph.wait(lambda: {"chunk", "motion", "state"} <= set(shown) and "running" in shown["state"].text)
    stamps = {"chunk": [c.observation_stamp for c in chunks], "motion": [t.header.stamp for t in arm.trajectories]}
    for name, stamped in stamps.items():
        marker = shown[name]
        assert marker.header.frame_id == "world"
        assert marker.header.stamp in stamped
    chunk = chunks[stamps["chunk"].index(shown["chunk"].header.stamp)]
    rows = np.array([row.positions for row in chunk.positions])
    np.testing.assert_allclose(points(shown["chunk"]), KINEMATICS.pinch_path(rows), atol=1e-9)
    motion = arm.trajectories[stamps["motion"].index(shown["motion"].header.stamp)]
    rows = np.array([point.positions for point in motion.points])
    np.testing.assert_allclose(points(shown["motion"]), KINEMATICS.pinch_path(rows), atol=1e-9)
    assert shown["motion"].lifetime == motion.points[-1].time_from_start
    assert "put the red cube in the blue box" in shown["state"].text


def test_what_cannot_be_shown_is_told_and_the_node_goes_on(graph) -> None:
    graph.start("motion_display")
    arm = Arm(graph)
    shown: list[MarkerArray] = []
    graph.node.create_subscription(MarkerArray, "motion_display/markers", shown.append, 20)
    sender = graph.node.create_publisher(ActionChunk, "action_chunk", 5)
    foreign = ActionChunk(joint_names=["wing"], positions=rows_message(np.zeros((2, 1))), step=duration_message(0.1))
    broken = ActionChunk(
        joint_names=list(ROBOT.joint_names), positions=rows_message(np.full((2, 6), np.nan)), step=duration_message(0.1)
    )

    def sent(message: ActionChunk, told: str) -> bool:
        sender.publish(message)
        return told in graph.log("motion_display")

    graph.wait(lambda: sent(foreign, "not shown: joint_names: expected shoulder_pan"))
    whole = ActionChunk(
        joint_names=list(ROBOT.joint_names), positions=rows_message(ROBOT.home_rad[None]), step=duration_message(0.1)
    )
    sender.publish(broken)
    graph.wait(lambda: sender.publish(whole) or shown)
    assert all(np.isfinite(points(marker)).all() for array in shown for marker in array.markers)
    assert graph.stop("motion_display") == 0
    assert "Traceback" not in graph.log("motion_display")
    assert not arm.trajectories


def test_a_held_arm_says_why_in_another_colour() -> None:
    running = state_marker(ExecutorState(mode=ExecutorState.MODE_RUNNING, instruction="go home"))
    held = state_marker(ExecutorState(mode=ExecutorState.MODE_FAULT, reason="rows refused: collision"))
    assert running.text == "running\ngo home"
    assert held.text == "fault\nrows refused: collision"
    assert held.color != running.color


def test_without_moveit_the_displayed_trajectory_is_left_out() -> None:
    assert ("moveit_msgs" in sys.modules) == (displayed_trajectory.DisplayTrajectory is not None)


def test_moveit_is_shown_the_trajectory_from_its_first_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """moveit_msgs is no wheel: its three messages stand here with the fields that they have in Jazzy."""

    class RobotState:
        def __init__(self) -> None:
            self.joint_state = JointState()

    messages = types.ModuleType("moveit_msgs.msg")
    messages.RobotState = RobotState
    messages.RobotTrajectory = lambda joint_trajectory: types.SimpleNamespace(joint_trajectory=joint_trajectory)
    messages.DisplayTrajectory = lambda trajectory, trajectory_start: types.SimpleNamespace(
        trajectory=trajectory, trajectory_start=trajectory_start
    )
    monkeypatch.setitem(sys.modules, "moveit_msgs", types.ModuleType("moveit_msgs"))
    monkeypatch.setitem(sys.modules, "moveit_msgs.msg", messages)
    with_moveit = importlib.reload(displayed_trajectory)
    try:
        sent = JointTrajectory(joint_names=["a", "b"], points=[JointTrajectoryPoint(positions=[0.1, 0.2])])
        shown = with_moveit.message(sent)
        assert shown.trajectory[0].joint_trajectory is sent
        assert shown.trajectory_start.joint_state.name == ["a", "b"]
        assert list(shown.trajectory_start.joint_state.position) == [0.1, 0.2]
    finally:
        monkeypatch.undo()
        importlib.reload(displayed_trajectory)
