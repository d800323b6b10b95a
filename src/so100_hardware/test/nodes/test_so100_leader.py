"""The leader's node on one virtual bus; its follower is a listener in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from so100_hardware.arm_file import load_arm_file

import so100_hardware
from so100_hardware import VirtualBus

rclpy = pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

PROGRAM = Path(so100_hardware.__file__).parents[4] / "lib/so100_hardware/so100_leader"
EMBODIMENT = Path(__file__).parents[4] / "config" / "so100.yaml"
ARM = load_arm_file(EMBODIMENT)
DOMAIN = 20 + (os.getpid() + 41) % 80
PATIENCE_S = 30.0
POSE = np.array([0.3, 0.8, -0.9, 0.4, 0.2, 0.5])
REST = np.array([0.0, 0.6, -0.6, 0.5, 0.0, 0.0])


class Follower:
    """Publishes where an arm is, when asked to, and hears what it is told."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.told = names, []
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self._node = rclpy.create_node("follower", context=self._context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._states = self._node.create_publisher(JointState, "joint_states", 10)
        self._node.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self.told.append, 10
        )

    def until(self, condition: Callable[[], Any], position_rad: np.ndarray | None) -> Any:
        """The first true value, while the arm says that it is at a position, or says nothing."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < deadline, self.told[-1:]
            if position_rad is not None:
                self._states.publish(JointState(name=self.names, position=position_rad.tolist()))
            self._executor.spin_once(0.02)
        return value

    def goal(self) -> np.ndarray:
        """The newest, (joints,) rad."""
        return np.array(self.told[-1].points[0].positions)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def follower() -> Iterator[Follower]:
    follower = Follower([f"left_{joint.name}" for joint in ARM.joints])
    yield follower
    follower.close()


@pytest.fixture
def start(tmp_path: Path, virtual: VirtualBus) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts the leader's node for a follower that is the left of two arms; its output goes to tmp_path/log."""
    running: list[subprocess.Popen] = []

    def start(**parameters: object) -> subprocess.Popen:
        (tmp_path / "left.yaml").write_text(f"{EMBODIMENT.read_text()}prefix: left_\n")
        settings = {"usb_port": virtual.port, "embodiment": str(tmp_path / "left.yaml"), **parameters}
        (tmp_path / "leader.yaml").write_text(yaml.safe_dump({"/**": {"ros__parameters": settings}}))
        command = [str(PROGRAM), "--ros-args", "--params-file", str(tmp_path / "leader.yaml")]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        with (tmp_path / "log").open("w") as log:
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
        return running[-1]

    yield start
    for child in running:
        child.kill()
        child.wait()


def move(leader: VirtualBus, pose_rad: np.ndarray) -> None:
    ticks = [joint.ticks(rad) for joint, rad in zip(ARM.joints, pose_rad, strict=True)]
    leader.exchange(ticks, [0.0] * 6, [0.0] * 6, 0.0)


def test_goals_go_from_the_follower_s_pose_to_the_leader_s_and_follow_it(
    start: Callable[..., subprocess.Popen], virtual: VirtualBus, follower: Follower
) -> None:
    move(virtual, POSE)
    child = start()
    first = follower.until(lambda: follower.told, REST)[0]
    assert np.abs(np.array(first.points[0].positions) - REST).max() < 0.2  # at 2 rad/s it is not there at once
    assert follower.told[0].joint_names == follower.names
    follower.until(lambda: np.abs(follower.goal() - POSE).max() < 0.01, POSE)
    move(virtual, REST)
    follower.until(lambda: np.abs(follower.goal() - REST).max() < 0.01, POSE)
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE_S) == 0
    assert {virtual.get(i, "torque_enable") for i in range(1, 7)} == {0}


def test_while_the_leader_or_the_follower_is_silent_nothing_is_told(
    start: Callable[..., subprocess.Popen], virtual: VirtualBus, follower: Follower, tmp_path: Path
) -> None:
    def said(words: str) -> bool:
        return words in (tmp_path / "log").read_text()

    move(virtual, POSE)
    start()
    follower.until(lambda: follower.told, REST)
    virtual.inject_fault("mute servo 3")
    follower.until(lambda: said("the leader is silent: the follower holds"), REST)
    told = len(follower.told)
    later = time.monotonic() + 0.5
    follower.until(lambda: time.monotonic() > later, REST)
    assert len(follower.told) <= told + 1  # one may have been on its way
    virtual.inject_fault("clear mute servo 3")
    follower.until(lambda: len(follower.told) > told + 3, REST)
    follower.until(lambda: said("no joint states of the follower: no goals"), None)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"usb_port": "/dev/nowhere"}, "/dev/nowhere"),
        ({"leader_embodiment": "/nowhere.yaml"}, "/nowhere.yaml"),
    ],
)
def test_what_is_not_there_ends_it_with_one_reason(
    start: Callable[..., subprocess.Popen], tmp_path: Path, parameters: dict[str, str], told: str
) -> None:
    assert start(**parameters).wait(PATIENCE_S) == 2
    log = (tmp_path / "log").read_text()
    assert told in log
    assert "Traceback" not in log
