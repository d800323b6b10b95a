"""The plugin under the real controller_manager with the real controllers, on the virtual bus.

Only where those are installed and the plugin is built; else pytest's header says what is missing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from so100_hardware import VirtualBus

REPOSITORY = Path(__file__).parents[4]
XACRO = REPOSITORY / "src/so100_description/urdf/so100.urdf.xacro"
EMBODIMENT = REPOSITORY / "config/so100.yaml"
CONTROLLERS = REPOSITORY / "config/controllers.yaml"
JOINTS = yaml.safe_load(EMBODIMENT.read_text())["joints"]
NAMES = [joint["name"] for joint in JOINTS]
IDS = [joint["servo_id"] for joint in JOINTS]
TICKS_PER_RAD = 4096 / (2 * np.pi)
DOMAIN = 20 + os.getpid() % 80
PATIENCE_S = 30.0
START_RAD = np.array([joint["home_rad"] for joint in JOINTS])


def _missing() -> str:
    try:
        from ament_index_python import PackageNotFoundError, get_package_prefix, get_resource
    except ImportError:
        return "ament_index_python"
    for package in ("controller_manager", "joint_state_broadcaster", "joint_trajectory_controller"):
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            return package
    try:
        get_resource("hardware_interface__pluginlib__plugin", "so100_hardware")
    except LookupError:
        return "the plugin in so100_hardware, which was built without ros2_control"
    return ""


MISSING = _missing()
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_collectionfinish() -> str:
    return f"test/ros2_control: not collected, there is no {MISSING}" if MISSING else ""


if not MISSING:
    import rclpy
    from ament_index_python import get_package_prefix
    from builtin_interfaces.msg import Duration
    from control_msgs.msg import DynamicJointState
    from controller_manager_msgs.srv import (
        ConfigureController,
        ListControllers,
        ListHardwareComponents,
        LoadController,
        SetHardwareComponentState,
        SwitchController,
    )
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    from lifecycle_msgs.msg import State
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensor_msgs.msg import JointState
    from std_msgs.msg import String
    from std_srvs.srv import Trigger
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint


def ticks_of(rad: np.ndarray) -> np.ndarray:
    """(joints,) rad to ticks, as the embodiment file says."""
    return np.array([j["zero_ticks"] + j["sign"] * r * TICKS_PER_RAD for j, r in zip(JOINTS, rad, strict=True)])


def rad_of(ticks: np.ndarray) -> np.ndarray:
    return np.array([(t - j["zero_ticks"]) * j["sign"] / TICKS_PER_RAD for j, t in zip(JOINTS, ticks, strict=True)])


class Servos:
    """The arm at the other end: a virtual bus that can be unplugged and plugged in again."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.plug_in(START_RAD)

    def plug_in(self, rad: np.ndarray) -> None:
        """Six servos, powered anew: without torque, at these angles."""
        self.bus = VirtualBus(IDS, link=self.port, start_ticks=list(ticks_of(rad)))
        for servo_id in IDS:
            self.bus.set(servo_id, "return_delay_time", 0)
        self.bus.start_first_order_arm()

    def unplug(self) -> np.ndarray:
        """The angles (joints,) that it had, in rad."""
        rad = self.rad()
        self.bus.close()
        return rad

    def registers(self, name: str) -> list[int]:
        return [self.bus.get(servo_id, name) for servo_id in IDS]

    def rad(self) -> np.ndarray:
        return rad_of(np.array(self.registers("present_position")))


class ControlNode:
    """ros2_control_node as a process, spoken to over ROS."""

    def __init__(self, urdf: str, settings: dict[str, Any], folder: Path) -> None:
        file = folder / "settings.yaml"
        file.write_text(yaml.safe_dump({"controller_manager": {"ros__parameters": settings}}))
        program = Path(get_package_prefix("controller_manager")) / "lib/controller_manager/ros2_control_node"
        command = [str(program), "--ros-args", "--params-file", str(CONTROLLERS), "--params-file", str(file)]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        self.child = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self.node = rclpy.create_node("test_client", context=self._context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.node.create_publisher(String, "/robot_description", latched)
        self._description.publish(String(data=urdf))
        self.trajectories = self.node.create_publisher(
            JointTrajectory, "/joint_trajectory_controller/joint_trajectory", 5
        )
        self.joint_states: list[JointState] = []
        self.telemetry: list[DynamicJointState] = []
        self.diagnostics: dict[str, DiagnosticStatus] = {}
        self.node.create_subscription(JointState, "/joint_states", self.joint_states.append, 50)
        self.node.create_subscription(DynamicJointState, "/dynamic_joint_states", self.telemetry.append, 5)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 20)

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.output += line

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.update({status.name: status for status in message.status})

    def spin_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            waiting = time.monotonic() < deadline and (self.child.poll() is None or self._reader.is_alive())
            assert waiting, f"never: {what}\n{self.output}"
            self._executor.spin_once(0.02)

    def wait_for(self, pattern: str) -> None:
        self.spin_until(lambda: re.search(pattern, self.output), f"'{pattern}' in the output")

    def call(self, kind: Any, service: str, /, **request: Any) -> Any:
        client = self.node.create_client(kind, service)
        self.spin_until(client.service_is_ready, f"service {service}")
        future = client.call_async(kind.Request(**request))
        self.spin_until(future.done, f"answer of {service}")
        self.node.destroy_client(client)
        return future.result()

    def ask_manager(self, kind: Any, service: str, /, **request: Any) -> Any:
        return self.call(kind, f"/controller_manager/{service}", **request)

    def component_state(self) -> str:
        """Empty while it is not loaded."""
        components = self.ask_manager(ListHardwareComponents, "list_hardware_components").component
        return components[0].state.label if components else ""

    def set_component(self, label: str) -> bool:
        request = {"name": "so100", "target_state": State(label=label)}
        return bool(self.ask_manager(SetHardwareComponentState, "set_hardware_component_state", **request).ok)

    def controllers(self) -> dict[str, str]:
        listed = self.ask_manager(ListControllers, "list_controllers").controller
        return {controller.name: controller.state for controller in listed}

    def switch(self, **controllers: list[str]) -> None:
        """activate_controllers=[...], deactivate_controllers=[...]: all of them, or the test fails."""
        request = {"strictness": SwitchController.Request.STRICT, "timeout": Duration(sec=5)}
        assert self.ask_manager(SwitchController, "switch_controller", **controllers, **request).ok

    def start_controllers(self) -> None:
        """Both, up to the first joint state."""
        names = ["joint_state_broadcaster", "joint_trajectory_controller"]
        for name in names:
            assert self.ask_manager(LoadController, "load_controller", name=name).ok, self.output
            assert self.ask_manager(ConfigureController, "configure_controller", name=name).ok, self.output
        self.switch(activate_controllers=names)
        self.joint_states.clear()
        self.spin_until(lambda: self.joint_states, "a joint state")

    def positions(self) -> np.ndarray:
        """(joints,) rad of a joint state that comes from now on."""
        self.joint_states.clear()
        self.spin_until(lambda: self.joint_states, "a joint state")
        state = self.joint_states[-1]
        return np.array([state.position[state.name.index(name)] for name in NAMES])

    def move(self, rad: np.ndarray, duration_s: float) -> None:
        """Sends a trajectory of one point and waits until the arm is there."""
        self.spin_until(self.trajectories.get_subscription_count, "the controller's subscription")
        start = Duration(sec=int(duration_s), nanosec=int(duration_s % 1 * 1e9))
        point = JointTrajectoryPoint(positions=[float(r) for r in rad], time_from_start=start)
        self.trajectories.publish(JointTrajectory(joint_names=NAMES, points=[point]))
        self.spin_until(lambda: np.abs(self.positions() - rad).max() < 0.03, f"the arm at {rad}")

    def reconnect(self) -> Trigger.Response:
        return self.call(Trigger, "/so100/reconnect")

    def stop(self) -> int:
        """As Ctrl-C does; the exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(PATIENCE_S)

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def servos(tmp_path: Path) -> Iterator[Servos]:
    servos = Servos(str(tmp_path / "arm"))
    yield servos
    servos.bus.close()


@pytest.fixture
def describe(servos: Servos) -> Callable[..., str]:
    """The robot description on the servos' port; (pattern, text) pairs replace the first match of each."""
    xacro = pytest.importorskip("xacro")

    def describe(hardware_type: str = "real", *replaced: tuple[str, str]) -> str:
        mappings = {"hardware_type": hardware_type, "usb_port": servos.port, "embodiment": str(EMBODIMENT)}
        document = xacro.process_file(str(XACRO), mappings={**mappings, "meshes": "false"})
        urdf = document.toprettyxml(indent="  ")
        for pattern, text in replaced:
            urdf, count = re.subn(pattern, text, urdf, count=1)
            assert count == 1, pattern
        return urdf

    return describe


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., ControlNode]]:
    """Starts controller_manager with a description; keywords are its parameters."""
    running: list[ControlNode] = []

    def launch(urdf: str, **settings: Any) -> ControlNode:
        running.append(ControlNode(urdf, settings, tmp_path))
        return running[-1]

    yield launch
    for node in running:
        node.close()


@pytest.fixture
def active(launch: Callable[..., ControlNode], describe: Callable[..., str]) -> Callable[..., ControlNode]:
    """An active component with both controllers, on the description that `describe` makes of the arguments."""

    def active(*description: Any, **settings: Any) -> ControlNode:
        node = launch(describe(*description), **settings)
        node.wait_for("torque on, holding")
        node.spin_until(lambda: node.component_state() == "active", "an active component")
        node.start_controllers()
        return node

    return active
