"""The node as a process of its own on the virtual bus, spoken to over ROS."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

import so100_hardware
from so100_hardware import Bus

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Float64MultiArray, String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint  # noqa: E402

PROGRAMS = Path(so100_hardware.__file__).parents[4] / "lib/so100_hardware"
NAMES = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
DOMAIN = 20 + os.getpid() % 80
PATIENCE_S = 20.0


class Process:
    """A program and all that it has said."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        self.child = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.output += line

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.output):
            assert time.monotonic() < deadline, f"no '{pattern}' in:\n{self.output}"
            time.sleep(0.02)

    def finish(self) -> int:
        code = self.child.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


@pytest.fixture
def start(tmp_path: Path, urdf_for: Callable[..., str]) -> Iterator[Callable[..., Process]]:
    """Starts so100_driver on a port, or so100_virtual_bus behind a link."""
    running: list[Process] = []

    def start(program: str, port: Path | str, **parameters: object) -> Process:
        command = [str(PROGRAMS / program)]
        if program == "so100_virtual_bus":
            command += ["--link", str(port)]
        else:
            hardware = parameters.pop("hardware", {})
            description = urdf_for(str(port), **hardware)
            settings = {"robot_description": description, "thread_priority": 0, **parameters}
            file = tmp_path / f"{len(running)}.yaml"
            file.write_text(yaml.safe_dump({"/**": {"ros__parameters": settings}}))
            command += ["--ros-args", "--params-file", str(file)]
        running.append(Process(command))
        return running[-1]

    yield start
    for process in running:
        process.child.kill()
        process.child.wait()


class Client:
    """A node of this test that keeps what the driver publishes."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.node = rclpy.create_node("test_client", context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states: list[JointState] = []
        self.descriptions: list[str] = []
        self.diagnostics: list[DiagnosticArray] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(JointState, "/joint_states", self.states.append, 50)
        self.node.create_subscription(String, "/robot_description", lambda m: self.descriptions.append(m.data), latched)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self.trajectories = self.node.create_publisher(
            JointTrajectory, "/joint_trajectory_controller/joint_trajectory", 5
        )

    def spin_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            self.executor.spin_once(0.05)

    def send(self, rad: float, duration_s: int, names: list[str] = NAMES) -> None:
        self.spin_until(lambda: self.trajectories.get_subscription_count() > 0)
        point = JointTrajectoryPoint(positions=[rad] * len(names))
        point.time_from_start.sec = duration_s
        self.trajectories.publish(JointTrajectory(joint_names=names, points=[point]))

    def positions_since(self, time_s: float) -> list[list[float]]:
        return [m.position for m in self.states if m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 > time_s]

    def bus_message(self) -> str:
        return self.diagnostics[-1].status[0].message if self.diagnostics else ""

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def torque(port: Path) -> set[int]:
    with Bus(str(port)) as bus:
        return set(bus.sync_read(range(1, 7), "torque_enable").values())


def test_it_publishes_the_arm_and_follows_trajectories(start, client: Client, tmp_path: Path) -> None:
    port = tmp_path / "servo_bus"
    driver = start("so100_driver", port)
    driver.wait_for("waiting up to 10 s for")  # the simulator comes up later
    start("so100_virtual_bus", port)
    client.spin_until(lambda: len(client.states) > 20 and client.descriptions and client.diagnostics)
    state = client.states[-1]
    assert list(state.name) == NAMES
    np.testing.assert_allclose(state.position, np.array([-1, 1, 1, 1, 1, 1]) * 2 * np.pi / 4096, atol=1e-6)
    assert len(state.velocity) == len(state.effort) == 6
    assert 'name="usb_port"' in client.descriptions[0]
    client.spin_until(lambda: client.bus_message() == "active")
    assert client.diagnostics[-1].status[0].level == b"\x00"
    assert [s.name for s in client.diagnostics[-1].status] == [
        "so100_driver: servo bus",
        *(f"so100_driver: joint {n}" for n in NAMES),
        "so100_driver: commands",
    ]

    client.send(0.3, 1)
    client.spin_until(lambda: np.allclose(client.states[-1].position, 0.3, atol=0.005))
    assert max(state.velocity[1] for state in client.states) > 0.1
    client.send(0.5, 1, NAMES[:2])
    driver.wait_for("trajectory rejected: joint_names: expected each of shoulder_pan")
    client.spin_until(lambda: client.diagnostics[-1].status[-1].message == "holding")
    np.testing.assert_allclose(client.states[-1].position, 0.3, atol=0.005)

    driver.child.send_signal(signal.SIGINT)
    assert driver.finish() == 0, driver.output
    assert "Traceback" not in driver.output
    assert torque(port) == {0}


def test_it_goes_to_forwarded_positions_and_refuses_too_few(start, client: Client, tmp_path: Path) -> None:
    port = tmp_path / "servo_bus"
    start("so100_virtual_bus", port)
    driver = start("so100_driver", port)
    client.spin_until(lambda: client.states)
    forward = client.node.create_publisher(Float64MultiArray, "/forward_position_controller/commands", 1)
    client.spin_until(lambda: forward.get_subscription_count() > 0)
    forward.publish(Float64MultiArray(data=[0.3] * 6))
    client.spin_until(lambda: np.allclose(client.states[-1].position, 0.3, atol=0.005))
    forward.publish(Float64MultiArray(data=[0.5] * 2))
    driver.wait_for(r"positions rejected: expected 6 values \(shoulder_pan, .*found 2")

    def counts() -> dict[str, str]:
        statuses = client.diagnostics[-1].status if client.diagnostics else []
        return {pair.key: pair.value for pair in statuses[-1].values} if statuses else {}

    client.spin_until(lambda: counts() == {"trajectories": "0", "positions": "1", "rejected": "1"})
    np.testing.assert_allclose(client.states[-1].position, 0.3, atol=0.005)


def test_a_bus_that_dies_and_returns_is_one_error_and_a_fresh_start(start, client: Client, tmp_path: Path) -> None:
    port = tmp_path / "servo_bus"
    virtual = start("so100_virtual_bus", port)
    driver = start("so100_driver", port, hardware={"torque_off_on_deactivate": "false"})
    client.spin_until(lambda: client.states)
    client.send(0.3, 1)
    client.spin_until(lambda: np.allclose(client.states[-1].position, 0.3, atol=0.005))
    virtual.child.kill()
    driver.wait_for("the device is gone; the bus is lost")
    client.spin_until(lambda: "trying to reconnect" in client.bus_message())
    assert client.diagnostics[-1].status[0].level == b"\x02"

    returned_s = time.time()
    start("so100_virtual_bus", port)  # its arm stands in the middle, not at 0.3 rad
    driver.wait_for("the bus is back")
    client.spin_until(lambda: len(client.positions_since(returned_s)) > 50)
    assert np.abs(client.positions_since(returned_s)).max() < 0.01  # no goal from before
    assert driver.output.count("[ERROR]") == 1
    driver.child.send_signal(signal.SIGTERM)
    assert driver.finish() == 0, driver.output
    assert torque(port) == {1}  # as the description asks


def test_on_a_real_arm_reconnecting_is_one_service_call(start, client: Client, tmp_path: Path) -> None:
    port = tmp_path / "servo_bus"
    virtual = start("so100_virtual_bus", port)
    driver = start("so100_driver", port, hardware={"auto_reconnect": "false"})
    client.spin_until(lambda: client.states)
    virtual.child.kill()
    driver.wait_for("the bus is lost, call /so100_driver/reconnect when it is back")
    reconnect = client.node.create_client(Trigger, "/so100_driver/reconnect")
    client.spin_until(reconnect.service_is_ready)

    def call() -> Trigger.Response:
        answer = reconnect.call_async(Trigger.Request())
        client.spin_until(answer.done)
        return answer.result()

    refusal = call()
    assert not refusal.success
    assert "no such device" in refusal.message
    returned = start("so100_virtual_bus", port)
    returned.wait_for("/dev/pts")
    time.sleep(1.5)  # longer than the period of those that reconnect by themselves
    assert "torque on" not in driver.output.split("the bus is lost")[1]
    assert call().success
    before = len(client.states)
    client.spin_until(lambda: len(client.states) > before + 20)


def test_torque_is_released_and_brought_back_by_services_and_joint_states_go_on(
    start, client: Client, tmp_path: Path
) -> None:
    port = tmp_path / "servo_bus"
    start("so100_virtual_bus", port)
    driver = start("so100_driver", port)
    client.spin_until(lambda: client.states)

    def call(name: str) -> Trigger.Response:
        service = client.node.create_client(Trigger, f"/so100_driver/{name}")
        client.spin_until(service.service_is_ready)
        answer = service.call_async(Trigger.Request())
        client.spin_until(answer.done)
        return answer.result()

    released = call("release_torque")
    assert (released.success, "/so100_driver/reconnect turns it on again" in released.message) == (True, True)
    before = len(client.states)
    client.spin_until(lambda: len(client.states) > before + 20)
    client.send(0.2, 1)
    driver.wait_for("its torque is released")
    assert not call("release_torque").success
    assert call("reconnect").success


def test_a_second_driver_ends_and_the_first_goes_on(start, client: Client, tmp_path: Path) -> None:
    port = tmp_path / "servo_bus"
    start("so100_virtual_bus", port)
    start("so100_driver", port)
    client.spin_until(lambda: client.states)
    second = start("so100_driver", port)
    assert second.finish() == 2
    assert "already in use by process" in second.output
    before = len(client.states)
    client.spin_until(lambda: len(client.states) > before + 20)


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("/dev/null", "/dev/null: is not a serial device"),
        ("/no/such/port", "/no/such/port: no such device"),
    ],
)
def test_a_fatal_error_is_one_clear_line_and_code_2(start, port: str, message: str) -> None:
    driver = start("so100_driver", port, port_timeout_s=0.3)
    assert driver.finish() == 2
    assert driver.output.count("[FATAL]") == 1
    assert message in driver.output
    assert "Traceback" not in driver.output


def test_a_description_without_servos_is_a_fatal_error(start) -> None:
    driver = start("so100_driver", "/dev/null", robot_description="<robot name='x'/>")
    assert driver.finish() == 2
    assert "expected so100_hardware/So100System once, found no <ros2_control>" in driver.output
    assert "Traceback" not in driver.output
