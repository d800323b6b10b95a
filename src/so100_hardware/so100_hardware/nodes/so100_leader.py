"""so100_leader: a leader arm, moved by hand, leads the follower that a driver or controller_manager has.

It reads the leader's servos and publishes goals on joint_trajectory_controller's topic. What the goals are is decided
in so100_hardware.workshop.teleoperation; here is only the connection to ROS.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from so100_hardware import Bus, BusError, NoReplyError
from so100_hardware.arm_file import ArmFileError, default_arm_file, load_arm_file
from so100_hardware.nodes.process import run_node
from so100_hardware.workshop.eeprom import let_go
from so100_hardware.workshop.servo_check import OtherArmError, check_offsets, check_servos
from so100_hardware.workshop.teleoperation import LeaderFollower

REPLY_TIMEOUT_S, RETRIES = 0.02, 3
AHEAD_CYCLES = 2.0
"""A goal is for so many cycles later: the follower is under way to it when the next one comes."""
JOINT_STATE_TIMEOUT_S = 0.3
REOPEN_PERIOD_S, DIAGNOSTICS_PERIOD_S = 1.0, 1.0
OPERATOR_ERRORS = (ArmFileError, BusError, OtherArmError)


class So100Leader(Node):
    """State: the leader's bus, None while its port is gone; the goals, None until the follower's pose is known."""

    def __init__(self) -> None:
        super().__init__("so100_leader")
        usb_port = self._text("usb_port", "the leader's serial port")
        embodiment = self._text("embodiment", "the follower's embodiment file; empty: config/so100.yaml")
        leader = self._text("leader_embodiment", "the leader's embodiment file; empty: the follower's")
        rate_hz = self._number("update_rate", 50.0, "goals a second (Hz)", 10.0, 200.0)
        self._slew_rad_s = self._number("max_velocity", 2.0, "no goal moves faster (rad/s)", 0.05, 10.0)
        self._timeout_s = self._number("timeout", 0.2, "silence of the leader after which to hold (s)", 0.02, 10.0)
        self._follower = load_arm_file(Path(embodiment) if embodiment else default_arm_file())
        self._leader = load_arm_file(Path(leader)) if leader else self._follower
        if missing := sorted(set(self._follower.servo_ids) - set(self._leader.servo_ids)):
            raise ArmFileError(f"{self._leader.path}: expected the follower's joints, found no {', '.join(missing)}")
        self._names = [self._follower.prefix + joint.name for joint in self._follower.joints]
        self._port, self._ahead_s = usb_port, AHEAD_CYCLES / rate_hz
        self._bus: Bus | None = self._open()
        self._reopen_s = 0.0
        self._pair: LeaderFollower | None = None
        self._pose: np.ndarray | None = None
        self._pose_s = -np.inf
        self._doing = ""
        self._goals = self.create_publisher(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", QoSProfile(depth=1)
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=10))
        self.create_subscription(JointState, "joint_states", self._take_joint_state, qos_profile_sensor_data)
        self.create_timer(1.0 / rate_hz, self._cycle)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self.get_logger().info(f"leader at {usb_port}, torque off: move it by hand")

    def _text(self, name: str, description: str) -> str:
        return str(self.declare_parameter(name, "", ParameterDescriptor(description=description, read_only=True)).value)

    def _number(self, name: str, default: float, description: str, low: float, high: float) -> float:
        bounds = [FloatingPointRange(from_value=low, to_value=high)]
        descriptor = ParameterDescriptor(description=description, read_only=True, floating_point_range=bounds)
        return float(self.declare_parameter(name, default, descriptor).value)

    def _open(self) -> Bus:
        """Raises BusError and OtherArmError."""
        bus = Bus(self._port, self._leader.baud_rate, reply_timeout_s=REPLY_TIMEOUT_S, retries=RETRIES)
        try:
            check_servos(bus, self._leader.servo_ids)
            check_offsets(bus, self._leader.joints)
            let_go(bus, list(self._leader.servo_ids.values()))
        except BaseException:
            bus.close()
            raise
        return bus

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _take_joint_state(self, message: JointState) -> None:
        found = dict(zip(message.name, message.position, strict=False))
        if all(name in found for name in self._names):
            self._pose, self._pose_s = np.array([found[name] for name in self._names]), self._now_s()

    def _cycle(self) -> None:
        ticks, now_s = self._read(), self._now_s()
        if self._pose is None or now_s - self._pose_s > JOINT_STATE_TIMEOUT_S:
            self._pair = None  # it begins anew from where the follower is
            self._tell("no joint states of the follower: no goals")
            return
        if self._pair is None:
            self._pair = LeaderFollower(
                self._leader, self._follower, self._pose, self._slew_rad_s, self._timeout_s, now_s
            )
        goal = self._pair.step(ticks, now_s)
        if self._pair.silent(now_s):
            self._tell("the leader is silent: the follower holds")
            return
        self._tell("leading")
        ahead = Duration(nanosec=round(self._ahead_s * 1e9))
        point = JointTrajectoryPoint(positions=goal.tolist(), time_from_start=ahead)
        self._goals.publish(JointTrajectory(joint_names=self._names, points=[point]))

    def _read(self) -> dict[int, int] | None:
        """Servo id -> position, None where the leader does not answer."""
        if self._bus is None:
            if self._now_s() < self._reopen_s:
                return None
            self._reopen_s = self._now_s() + REOPEN_PERIOD_S
            try:
                self._bus = self._open()
            except (BusError, OtherArmError):
                return None
            self.get_logger().info(f"{self._port} is back")
        try:
            return dict(self._bus.sync_read(list(self._leader.servo_ids.values()), "present_position"))
        except NoReplyError:
            return None
        except BusError as error:
            self.get_logger().error(f"{error}; it is opened again when it is back")
            self.let_go()
            return None

    def _tell(self, doing: str) -> None:
        """Each change once."""
        if doing != self._doing:
            self._doing = doing
            self.get_logger().info(doing)

    def _publish_diagnostics(self) -> None:
        level = DiagnosticStatus.OK if self._doing == "leading" else DiagnosticStatus.WARN
        status = DiagnosticStatus(level=level, name="so100_leader", message=self._doing, hardware_id=self._port)
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))

    def let_go(self) -> None:
        """The end; the leader's torque is off."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None


def main() -> None:
    run_node("so100_leader", So100Leader, OPERATOR_ERRORS)


if __name__ == "__main__":
    main()
