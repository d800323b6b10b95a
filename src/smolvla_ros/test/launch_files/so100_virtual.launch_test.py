"""launch_test so100_virtual.launch_test.py: so100.launch.py without an arm, its nodes and how they end."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_testing
import rclpy
from launch.actions import IncludeLaunchDescription
from launch_testing.actions import ReadyToTest
from launch_testing.asserts import assertExitCodes
from lifecycle_msgs.srv import GetState
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

from launch import LaunchDescription
from smolvla_msgs.msg import ExecutorState

WHOLE = Path(__file__).parents[4] / "launch" / "so100.launch.py"
PATIENCE_S = 60.0
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]


def generate_test_description() -> LaunchDescription:
    arguments = {"hardware_type": "virtual", "prefix": "left_", "record": "true"}
    return LaunchDescription([IncludeLaunchDescription(str(WHOLE), launch_arguments=arguments.items()), ReadyToTest()])


class WhileItRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        rclpy.init()
        cls.node = rclpy.create_node("launch_test")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.destroy_node()
        rclpy.shutdown()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < deadline, f"never: {what}; nodes: {self.node.get_node_names()}"
            rclpy.spin_once(self.node, timeout_sec=0.1)
        return value

    def heard(self, kind: type, topic: str) -> Any:
        """The first message."""
        messages: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, messages.append, qos_profile_sensor_data)
        self.until(lambda: messages, f"a message on {topic}")
        self.node.destroy_subscription(subscription)
        return messages[0]

    def test_every_node_is_up(self) -> None:
        wanted = {"policy", "executor", "recorder", "robot_state_publisher"}
        self.until(lambda: wanted <= set(self.node.get_node_names()), f"{sorted(wanted)}")
        drivers = {"so100_driver", "controller_manager"}
        self.until(lambda: drivers & set(self.node.get_node_names()), "a driver")

    def test_the_arm_tells_where_its_joints_are_under_their_prefix(self) -> None:
        state = self.heard(JointState, "joint_states")
        assert sorted(state.name) == sorted(f"left_{name}" for name in JOINTS)

    def test_managed_nodes_are_active(self) -> None:
        for name in ("policy", "executor", "recorder"):
            client = self.node.create_client(GetState, f"{name}/get_state")
            self.until(client.service_is_ready, f"{name}/get_state")
            answer = {"state": ""}

            def active(client: Any = client, answer: dict[str, str] = answer) -> bool:
                future = client.call_async(GetState.Request())
                rclpy.spin_until_future_complete(self.node, future, timeout_sec=2.0)
                answer["state"] = future.result().current_state.label if future.done() else ""
                return answer["state"] == "active"

            self.until(active, f"{name} active")
        assert self.heard(ExecutorState, "executor/state").mode == ExecutorState.MODE_IDLE


@launch_testing.post_shutdown_test()
class AfterItsEnd(unittest.TestCase):
    def test_every_process_ended_in_order(self, proc_info: Any) -> None:
        assertExitCodes(proc_info)
