"""so100_driver: the arm's servos under the topics of joint_trajectory_controller, forward_position_controller and
joint_state_broadcaster.

For hosts without ros2_control. What it does is in so100_hardware.arm_driver; here is only its connection to ROS.
"""

from __future__ import annotations

import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from so100_hardware import BusError, PortNotFoundError
from so100_hardware.arm_driver import ArmDriver
from so100_hardware.description import parse_description
from so100_hardware.forward_command import PositionsRejectedError
from so100_hardware.nodes.process import run_node
from so100_hardware.thread_priority import DRIVER_PRIORITY, take_priority
from so100_hardware.trajectory import Trajectory, TrajectoryPoint, TrajectoryRejectedError

DIAGNOSTICS_PERIOD_S = 1.0


def trajectory_from(message: JointTrajectory) -> Trajectory:
    """The message without ROS; a stamp of 0 means now."""
    stamp = message.header.stamp
    points = [
        TrajectoryPoint(
            p.time_from_start.sec + p.time_from_start.nanosec * 1e-9,
            p.positions,
            p.velocities,
            p.accelerations,
            p.effort,
        )
        for p in message.points
    ]
    start_s = stamp.sec + stamp.nanosec * 1e-9 if stamp.sec or stamp.nanosec else None
    return Trajectory(message.joint_names, points, start_s)


class So100Driver(Node):
    """Timer-driven: one bus cycle a tick, diagnostics once a second. All callbacks run in one thread."""

    def __init__(self) -> None:
        super().__init__("so100_driver")
        describe = ParameterDescriptor
        urdf = self.declare_parameter(
            "robot_description",
            "",
            describe(description="URDF whose <ros2_control> block names port, baud rate and joints", read_only=True),
        ).value
        rate_hz = self.declare_parameter(
            "update_rate",
            100.0,
            describe(
                description="bus cycles a second (Hz)",
                read_only=True,
                floating_point_range=[FloatingPointRange(from_value=10.0, to_value=500.0)],
            ),
        ).value
        port_timeout_s = self.declare_parameter(
            "port_timeout_s",
            10.0,
            describe(
                description="how long to wait at the start for usb_port to appear (s)",
                read_only=True,
                floating_point_range=[FloatingPointRange(from_value=0.0, to_value=600.0)],
            ),
        ).value
        priority = self.declare_parameter(
            "thread_priority",
            DRIVER_PRIORITY,
            describe(
                description="SCHED_FIFO priority of the node's threads, where the host permits it; 0: as others",
                read_only=True,
                integer_range=[IntegerRange(from_value=0, to_value=99, step=1)],
            ),
        ).value

        if why_not := take_priority(priority):
            self.get_logger().warning(why_not)
        self._driver = ArmDriver(parse_description(urdf))
        self._names = list(self._driver.arm.config.joint_names)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.create_publisher(String, "robot_description", latched)
        self._description.publish(String(data=urdf))
        self._joint_states = self.create_publisher(JointState, "joint_states", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", 10)
        self._connect(port_timeout_s)
        self.create_subscription(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", self._take_trajectory, 10
        )
        # of a stream only the newest counts
        self.create_subscription(Float64MultiArray, "forward_position_controller/commands", self._take_positions, 1)
        self.create_service(Trigger, "~/reconnect", self._reconnect)
        self.create_service(Trigger, "~/release_torque", self._release_torque)
        self.create_timer(1.0 / rate_hz, self._cycle)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _connect(self, port_timeout_s: float) -> None:
        deadline_s = time.monotonic() + port_timeout_s
        port = self._driver.arm.config.usb_port
        told = False
        while True:
            try:
                self._driver.connect(self._now_s())
                break
            except PortNotFoundError:
                if time.monotonic() >= deadline_s:
                    raise
            if not rclpy.ok():
                raise ExternalShutdownException
            if not told:
                self.get_logger().info(f"waiting up to {port_timeout_s:g} s for {port}")
                told = True
            time.sleep(0.1)
        self._tell_connected(f"{len(self._names)} servos on {port}")

    def _tell_connected(self, what: str) -> None:
        for gain in self._driver.arm.gains_written:
            self.get_logger().info(gain)
        self.get_logger().info(f"{what}, goals set to the present positions, torque on, holding")

    def _reconnect(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            self._driver.connect(self._now_s())
        except BusError as error:
            response.message = str(error)
            self.get_logger().error(response.message)
            return response
        self._tell_connected("reconnected")
        response.success = True
        response.message = "torque is on, holding"
        return response

    def _release_torque(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._driver.release()
        response.success = not response.message
        if response.success:
            response.message = f"torque is off; {self.get_fully_qualified_name()}/reconnect turns it on again"
            self.get_logger().warning(response.message)
        else:
            self.get_logger().error(f"release_torque: {response.message}")
        return response

    def _take_trajectory(self, message: JointTrajectory) -> None:
        try:
            self._driver.accept(trajectory_from(message), self._now_s())
        except TrajectoryRejectedError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _take_positions(self, message: Float64MultiArray) -> None:
        try:
            self._driver.forward(message.data, self._now_s())
        except PositionsRejectedError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _cycle(self) -> None:
        was_connected = self._driver.connected
        stamp = self.get_clock().now()
        state = self._driver.cycle(stamp.nanoseconds * 1e-9)
        if state is not None:
            self._joint_states.publish(
                JointState(
                    header=Header(stamp=stamp.to_msg()),
                    name=self._names,
                    position=state.position_rad,
                    velocity=state.velocity_rad_s,
                    effort=state.effort,
                )
            )
        if was_connected and not self._driver.connected:
            then = (
                "reconnecting when it is back"
                if self._driver.arm.config.auto_reconnect
                else f"call {self.get_fully_qualified_name()}/reconnect when it is back"
            )
            self.get_logger().error(f"{self._driver.trouble}; the bus is lost, {then}")
        elif not was_connected and self._driver.connected:
            self._tell_connected("the bus is back")

    def _publish_diagnostics(self) -> None:
        port = self._driver.arm.config.usb_port
        statuses = [
            DiagnosticStatus(
                level=bytes([h.level]),
                name=f"{self.get_name()}: {h.name}",
                message=h.message,
                hardware_id=port,
                values=[KeyValue(key=key, value=value) for key, value in h.values.items()],
            )
            for h in self._driver.arm.report()
        ]
        statuses.append(
            DiagnosticStatus(
                level=DiagnosticStatus.OK,
                name=f"{self.get_name()}: commands",
                message="following" if self._driver.following else "holding",
                hardware_id=port,
                values=[
                    KeyValue(key="trajectories", value=str(self._driver.accepted)),
                    KeyValue(key="positions", value=str(self._driver.forwarded)),
                    KeyValue(key="rejected", value=str(self._driver.rejected)),
                ],
            )
        )
        self._diagnostics.publish(
            DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()), status=statuses)
        )

    def let_go(self) -> None:
        """The end: parked and torque off where the description says so, then the bus is closed."""
        fault = self._driver.shut_down()
        if fault:
            self.get_logger().error(f"torque off failed ({fault}): the arm may still be stiff")


def main() -> None:
    run_node("so100_driver", So100Driver, (BusError,))


if __name__ == "__main__":
    main()
