"""Policy and MoveIt take turns: one service call of smolvla_ros's arbiter, under the real controllers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ament_index_python import PackageNotFoundError, get_package_prefix
from builtin_interfaces.msg import Duration
from controller_manager_msgs.srv import ConfigureController, LoadController
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

pytest.importorskip("smolvla_msgs", reason="smolvla_msgs is not built")
try:
    for package in ("forward_command_controller", "parallel_gripper_controller"):
        get_package_prefix(package)
except PackageNotFoundError as missing:
    pytest.skip(f"{missing}", allow_module_level=True)

COMMANDERS = {
    "policy": ["joint_trajectory_controller"],
    "moveit": ["manipulator_controller", "gripper_controller"],
    "forward": ["forward_position_controller"],
}


@pytest.fixture
def node(active: Callable[..., Any]) -> Iterator[Any]:
    """The arm with the policy in command and the other controllers loaded; the arbiter beside it."""
    node = active("virtual")
    for name in (*COMMANDERS["moveit"], *COMMANDERS["forward"]):
        assert node.ask_manager(LoadController, "load_controller", name=name).ok, node.output
        assert node.ask_manager(ConfigureController, "configure_controller", name=name).ok, node.output
    environment = {**os.environ, "ROS_DOMAIN_ID": str(node._context.get_domain_id())}
    arbiter = subprocess.Popen([sys.executable, "-m", "smolvla_ros.nodes.arbiter"], env=environment)
    yield node
    arbiter.terminate()
    arbiter.wait(20)


def in_command(node: Any) -> list[str]:
    states = node.controllers()
    return [name for names in COMMANDERS.values() for name in names if states[name] == "active"]


def give_to(node: Any, source: str) -> Any:
    """At first the arbiter may not have seen a joint state yet."""
    answers = []

    def answered() -> bool:
        answers.append(node.call(Trigger, f"/arbiter/{source}"))
        return "no joint state" not in answers[-1].message and "no controller_manager" not in answers[-1].message

    node.spin_until(answered, f"an answer of /arbiter/{source}")
    return answers[-1]


def test_command_goes_round_and_the_arm_stays(node: Any) -> None:
    before = node.positions()
    for source in ("moveit", "forward", "moveit", "policy"):
        answer = give_to(node, source)
        assert answer.success, answer.message
        assert in_command(node) == COMMANDERS[source]
        assert np.abs(node.positions() - before).max() < 0.01
    assert give_to(node, "policy").message == "policy commands the arm already"


def test_a_policy_out_of_command_moves_nothing_and_back_in_command_moves(node: Any) -> None:
    before = node.positions()
    assert give_to(node, "moveit").success
    there = before + np.array([0.3, 0, 0, 0, 0, 0])
    point = JointTrajectoryPoint(positions=there.tolist(), time_from_start=Duration(sec=1))
    joints = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
    node.trajectories.publish(JointTrajectory(joint_names=joints, points=[point]))
    end = node.node.get_clock().now().nanoseconds + int(1.5e9)
    node.spin_until(lambda: node.node.get_clock().now().nanoseconds > end, "a second and a half")
    assert np.abs(node.positions() - before).max() < 0.01
    assert give_to(node, "policy").success
    assert np.abs(node.positions() - before).max() < 0.01  # what came meanwhile is forgotten
    node.move(there, 0.5)


def test_an_arm_that_moves_does_not_change_hands(node: Any) -> None:
    start = node.positions()
    assert give_to(node, "forward").success
    stream = node.node.create_publisher(Float64MultiArray, "/forward_position_controller/commands", 5)
    node.spin_until(stream.get_subscription_count, "the controller's subscription")
    stream.publish(Float64MultiArray(data=(start + np.array([1.2, 0, 0, 0, 0, 0])).tolist()))
    node.spin_until(lambda: np.abs(node.positions() - start).max() > 0.05, "a moving arm")
    refused = give_to(node, "policy")
    assert not refused.success
    assert "a joint moves at" in refused.message
    assert in_command(node) == COMMANDERS["forward"]


def test_joints_may_be_left_out_of_a_trajectory(node: Any) -> None:
    before = node.positions()
    node.spin_until(node.trajectories.get_subscription_count, "the controller's subscription")
    point = JointTrajectoryPoint(positions=[0.2], time_from_start=Duration(nanosec=500_000_000))
    node.trajectories.publish(JointTrajectory(joint_names=["shoulder_pan"], points=[point]))
    wanted = np.array([0.2, *before[1:]])
    node.spin_until(lambda: np.abs(node.positions() - wanted).max() < 0.03, "the pan joint alone at 0.2 rad")
