"""The executor node: requests chunks, queues them by time, sends trajectories to joint_trajectory_controller.

All decisions are made by smolvla_ros.execution.executor; this file turns messages into its calls and back.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.experimental import EventsExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from so100_hardware.thread_priority import take_priority
from std_srvs.srv import Trigger

from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState
from smolvla_ros.collision.arm_bodies import ArmBodies, CollisionModelError
from smolvla_ros.collision.obstacles import load_obstacles
from smolvla_ros.embodiment import Embodiment, EmbodimentError, load_embodiment
from smolvla_ros.execution.collisions import CollisionCheck
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.latency import LatencyWindow
from smolvla_ros.execution.overlap import OverlapError
from smolvla_ros.execution.rehearsal import rehearsed
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings, ModeError
from smolvla_ros.execution.task_end import TaskEnd
from smolvla_ros.execution.timeline import ChunkRejected
from smolvla_ros.nodes.controllers import ControllerError, make_controller
from smolvla_ros.nodes.conversions import joint_positions, seconds
from smolvla_ros.nodes.exchange_qos import RECEIVED, REQUEST
from smolvla_ros.nodes.executor_messages import arrived_chunk, diagnostics, exchange_of, request_message, state_message
from smolvla_ros.nodes.executor_parameters import PARAMETERS, QueueRuleError, executor_settings
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.newest import Newest
from smolvla_ros.nodes.process import run_node
from smolvla_ros.nodes.rivals import Rivals
from smolvla_ros.nodes.task_server import TaskServer
from smolvla_ros.nodes.trouble_log import TroubleLog
from smolvla_ros.runtime.description import DescriptionError, robot_description, with_mesh_paths

STATE_HZ = 10.0
FEEDBACK_HZ = 5.0
DIAGNOSTICS_HZ = 1.0
LAST_WORD_S = 1.0
OWN_DELAYS = 1000
OPERATOR_ERRORS = (
    CollisionModelError,
    ControllerError,
    DescriptionError,
    EmbodimentError,
    ModeError,
    OverlapError,
    QueueRuleError,
)


class ExecutorNode(ManagedNode):
    """Configured it takes an emergency stop, active it takes tasks and sends trajectories. Everything runs in one
    thread.
    """

    def __init__(self) -> None:
        super().__init__("executor", PARAMETERS, OPERATOR_ERRORS)
        self._task: TaskServer | None = None

    def configure(self) -> None:
        settings = self.settings
        if why_not := take_priority(settings["thread_priority"]):
            self.get_logger().warning(why_not)
        embodiment = load_embodiment(settings["embodiment"])
        self._names = embodiment.wire_names
        # LeRobot counts a gripper from 0, closed, to 100, open
        self._grippers = [
            name
            for name, joint in zip(embodiment.wire_names, embodiment.joints, strict=True)
            if joint.lerobot_unit == "range_0_100"
        ]
        chosen = executor_settings(settings, self._grippers)
        self._core = ChunkExecutor(MotionLimits.of(embodiment), chosen, collision_check(embodiment, settings))
        self._log = TroubleLog(self.get_logger())
        self._own_delay = LatencyWindow(OWN_DELAYS, half_life=math.inf)
        self._rate_hz, self._ticks = settings["rate"], 0
        self._controller = make_controller(settings["controller"], self, self._names)
        self._requests = self.create_publisher(ChunkRequest, "chunk_request", REQUEST)
        self._states = self.create_publisher(ExecutorState, "executor/state", QoSProfile(depth=1))
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=1))
        self._joint_states = Newest(self, JointState, "joint_states")
        self._rivals = Rivals(self, self._controller.publisher, self._on_foreign_trajectory)
        for name in ("pause", "resume", "emergency_stop", "reset_emergency_stop"):
            self.create_service(Trigger, f"executor/{name}", getattr(self, f"_{name}"))
        self._task = TaskServer(self, self._core, self._now_s, self._task_refusal)
        self._task.settings = settings
        self._rehearse(chosen)

    def activate(self) -> None:
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, RECEIVED)
        self.create_timer(1.0 / self._rate_hz, self._tick)

    def deactivate(self) -> None:
        """The arm comes to rest now, not where the queue ends."""
        if self._task is not None:
            self._task.end(TaskEnd.CANCELED, "the executor was deactivated")
        self._core.end_task()
        self._step()
        # what is published in a process's last moment is lost unless somebody has taken it
        self._controller.publisher.wait_for_all_acked(Duration(seconds=LAST_WORD_S))

    def cleanup(self) -> None:
        if self._task is not None:
            self._task.destroy()
            self._task = None

    def check_settings(self, settings: dict[str, Any]) -> None:
        executor_settings(settings, ())

    def retune(self, settings: dict[str, Any]) -> None:
        self._core.retune(executor_settings(settings, self._grippers))
        if self._task is not None:
            self._task.settings = settings

    def _rehearse(self, chosen: ExecutorSettings) -> None:
        """The first chunk of a task shall take no longer than the others."""
        message = self._controller.message(rehearsed(self._core.limits, chosen), lambda: None)
        if message is not None:
            serialize_message(message)

    # inputs

    def _look_at_arm(self) -> None:
        message = self._joint_states.get()
        if message is None:
            return
        positions = joint_positions(message, self._names)
        if positions is None:
            expected, found = ", ".join(self._names), ", ".join(message.name) or "none"
            self._core.on_unusable_joint_state(f"{self._joint_states.topic}: expected joints {expected}; found {found}")
        else:
            self._core.on_joint_state(seconds(message.header.stamp), positions)

    def _on_chunk(self, message: ActionChunk) -> None:
        begun_s, now_s = time.monotonic(), self._now_s()
        if exchange := exchange_of(message, now_s):
            self._core.policy_clock.add(exchange)
        if message.status != ActionChunk.STATUS_OK:
            counts = self._core.on_refusal(message.request_id, message.message, now_s)
            if counts and message.status == ActionChunk.STATUS_REFUSED and self._task is not None:
                self._task.end(TaskEnd.REFUSED, message.message)
            return
        try:
            self._core.on_chunk(arrived_chunk(message), now_s)
        except ChunkRejected as rejected:
            self._log.refused(message.id, rejected)
        else:
            self._log.taken()
            self._own_delay.add(self._step() - begun_s)

    def _on_foreign_trajectory(self) -> None:
        """Answered at once: a moment later the arm would be on its way."""
        self._look_at_arm()
        self._core.on_foreign_trajectory()
        if self._core.holds.stopped or self.state == "active":
            self._step()

    # the clockwork

    def _tick(self) -> None:
        self._ticks += 1
        self._look_at_arm()
        self._step()
        if self._task is not None:
            self._task.watch()
        self._log.look(self._core)
        if self._due(STATE_HZ):
            state = state_message(self._core, self.get_clock().now().to_msg())
            self._states.publish(state)
            if self._task is not None and self._due(FEEDBACK_HZ):
                self._task.tell(state)
        if self._due(DIAGNOSTICS_HZ):
            self._core.holds.rivals = self._rivals.names()
            own_s = self._own_delay.quantile_s(0.99)
            self._diagnostics.publish(diagnostics(self._core, own_s, self.get_clock().now().to_msg()))

    def _due(self, rate_hz: float) -> bool:
        return self._ticks % max(1, round(self._rate_hz / rate_hz)) == 0

    def _step(self) -> float:
        """What came in goes out at once: not a tick later. Returns when the controller was told (time.monotonic)."""
        now_s = self._now_s()
        commands = self._core.tick(now_s)
        message = self._controller.message(commands.trajectory, partial(self._core.motion.goal, now_s))
        if message is not None:
            self._rivals.sent(message)
            self._controller.publisher.publish(message)
        told_s = time.monotonic()
        if commands.request is not None:
            stamp = self.get_clock().now().to_msg()
            self._requests.publish(request_message(commands.request, self._names, stamp))
        return told_s

    def _now_s(self) -> float:
        return seconds(self.get_clock().now().to_msg())

    # what the operator asks for

    def _task_refusal(self) -> str:
        if self.state != "active":
            return f"expected an active executor, found it {self.state}"
        if self._core.holds.stopped:
            return "the emergency stop is latched: reset it by executor/reset_emergency_stop"
        topic = self._controller.publisher.topic_name
        if rivals := self._rivals.names():
            return f"expected nobody else to send trajectories to {topic}, found {rivals}"
        return ""

    def _pause(self, _request: Any, response: Any) -> Any:
        self._core.pause()
        self._step()
        return _answer(response, "the arm holds; go on by executor/resume")

    def _resume(self, _request: Any, response: Any) -> Any:
        self._core.resume()
        return _answer(response, "goes on")

    def _emergency_stop(self, _request: Any, response: Any) -> Any:
        self._look_at_arm()
        self._core.emergency_stop()
        self._step()
        return _answer(response, "the arm holds until executor/reset_emergency_stop")

    def _reset_emergency_stop(self, _request: Any, response: Any) -> Any:
        self._core.reset_emergency_stop()
        return _answer(response, "reset; give the task again")


def collision_check(embodiment: Embodiment, settings: dict[str, Any]) -> CollisionCheck | None:
    """None where it is not asked for. Raises DescriptionError, EmbodimentError, CollisionModelError."""
    if not settings["collision_check"]:
        return None
    obstacles = load_obstacles(settings["obstacles"])
    urdf = with_mesh_paths(robot_description(embodiment, "virtual", ""))  # shapes are the same whatever drives the arm
    bodies = ArmBodies(urdf, embodiment.joint_names, obstacles)
    return CollisionCheck(bodies.depths, settings["collision_tolerance"])


def _answer(response: Any, message: str) -> Any:
    response.success, response.message = True, message
    return response


def main() -> None:
    # half the processor time of rclpy's default, which lists all that there is to wait for anew for each callback
    run_node(ExecutorNode, OPERATOR_ERRORS, EventsExecutor)


if __name__ == "__main__":
    main()
