"""The arbiter node, for ROS hosts: one service call hands the arm's command from the policy to MoveIt and back.

    ros2 service call /arbiter/moveit std_srvs/srv/Trigger      # or /arbiter/policy, /arbiter/forward

A call is refused, with the reason, while the arm moves or something is about to move it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from builtin_interfaces.msg import Duration
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from smolvla_msgs.msg import ExecutorState
from smolvla_ros.execution.command_source import SOURCES, Activity, SwitchRefused, check_at_rest, switch_to
from smolvla_ros.nodes.process import run_node

ACTIONS = {
    "joint_trajectory_controller": "follow_joint_trajectory",
    "manipulator_controller": "follow_joint_trajectory",
    "gripper_controller": "gripper_cmd",
}
UNDER_WAY = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)
AT_REST = (ExecutorState.MODE_IDLE, ExecutorState.MODE_EMERGENCY_STOP)
SWITCH_TIMEOUT_S = 5
SIGNAL_PERIOD_S = 0.2


class ControllersMissing(RuntimeError):
    """There is no ros2_control on this host."""


class ArbiterNode(Node):
    """State: the newest joint state and when it came, the executor's task, the goals under way."""

    def __init__(self) -> None:
        super().__init__("arbiter")
        try:
            from controller_manager_msgs.srv import ListControllers, SwitchController
        except ImportError as error:
            raise ControllersMissing(f"the arbiter needs a ROS host with ros2_control ({error})") from None
        self._switch_request = SwitchController.Request
        self._list_request = ListControllers.Request
        # a service that awaits an answer holds its own group: one switch at a time, everything else goes on
        beside = ReentrantCallbackGroup()
        self._list = self.create_client(ListControllers, "controller_manager/list_controllers", callback_group=beside)
        self._switch = self.create_client(
            SwitchController, "controller_manager/switch_controller", callback_group=beside
        )
        self._joint_state: JointState | None = None
        self._joint_state_at = self.get_clock().now()
        self._task = ""
        self._executing: set[str] = set()
        self.create_subscription(
            JointState, "joint_states", self._take_joint_state, qos_profile_sensor_data, callback_group=beside
        )
        self.create_subscription(ExecutorState, "executor/state", self._take_executor_state, 10, callback_group=beside)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        for controller, action in ACTIONS.items():
            topic = f"{controller}/{action}/_action/status"
            take = partial(self._take_goals, controller)
            self.create_subscription(GoalStatusArray, topic, take, latched, callback_group=beside)
        # the process looks at signals between two callbacks
        self.create_timer(SIGNAL_PERIOD_S, lambda: None, callback_group=beside)
        for source in SOURCES:
            self.create_service(Trigger, f"arbiter/{source}", self._answer(source))

    def _take_joint_state(self, message: JointState) -> None:
        self._joint_state, self._joint_state_at = message, self.get_clock().now()

    def _take_executor_state(self, message: ExecutorState) -> None:
        self._task = "" if message.mode in AT_REST else message.instruction or "no instruction yet"

    def _take_goals(self, controller: str, message: GoalStatusArray) -> None:
        if any(goal.status in UNDER_WAY for goal in message.status_list):
            self._executing.add(controller)
        else:
            self._executing.discard(controller)

    def _activity(self) -> Activity:
        age_s = (self.get_clock().now() - self._joint_state_at).nanoseconds * 1e-9
        state = self._joint_state
        return Activity(
            joint_state_age_s=float("inf") if state is None else age_s,
            velocities_rad_s=() if state is None else [v for v in state.velocity if v == v],
            task=self._task,
            executing=frozenset(self._executing),
        )

    def _answer(self, source: str) -> Callable[[Any, Any], Awaitable[Any]]:
        async def answer(_request: Any, response: Any) -> Any:
            try:
                response.message = await self._give_to(source)
                response.success = True
            except SwitchRefused as refusal:
                response.message = str(refusal)
            self.get_logger().info(f"{source}: {response.message}")
            return response

        return answer

    async def _give_to(self, source: str) -> str:
        """Raises SwitchRefused."""
        if not self._list.service_is_ready():
            raise SwitchRefused("no controller_manager answers: is the arm's launch file running?")
        listed = await self._list.call_async(self._list_request())
        switch = switch_to(source, {controller.name: controller.state for controller in listed.controller})
        if not switch.activate and not switch.deactivate:
            return f"{source} commands the arm already"
        check_at_rest(self._activity())  # as late as can be
        request = self._switch_request(
            activate_controllers=list(switch.activate),
            deactivate_controllers=list(switch.deactivate),
            strictness=self._switch_request.STRICT,
            timeout=Duration(sec=SWITCH_TIMEOUT_S),
        )
        answer = await self._switch.call_async(request)
        if not answer.ok:
            raise SwitchRefused(f"controller_manager did not switch: {getattr(answer, 'message', '') or 'see its log'}")
        return f"{source} commands the arm, by {', '.join(SOURCES[source])}"


def main() -> None:
    run_node(ArbiterNode, (ControllersMissing,))


if __name__ == "__main__":
    main()
