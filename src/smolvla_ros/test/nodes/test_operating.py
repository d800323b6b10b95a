"""What an operator does to a running executor, and what others do to its arm."""

from __future__ import annotations

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from played_arm import RESULT, ROBOT, TASK, Arm
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from smolvla_ros.nodes.conversions import duration_message, rows_message, seconds, time_message
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from smolvla_msgs.msg import ChunkRequest, ExecutorState

TOPIC = "joint_trajectory_controller/joint_trajectory"


@pytest.fixture
def arm(graph) -> Arm:
    graph.start("executor", fault_time_limit=30.0, request_timeout=1.0)
    return Arm(graph)


def foreign(seconds_long: float = 3.0) -> JointTrajectory:
    """Somebody else's way to another place."""
    there = JointTrajectoryPoint(
        positions=(ROBOT.home_rad + 0.5).tolist(), time_from_start=duration_message(seconds_long)
    )
    return JointTrajectory(joint_names=list(ROBOT.joint_names), points=[there])


def set_parameter(graph, node: str, name: str, **value):
    kind = {"double_value": ParameterType.PARAMETER_DOUBLE, "string_value": ParameterType.PARAMETER_STRING}
    parameter = Parameter(name=name, value=ParameterValue(type=kind[next(iter(value))], **value))
    request = SetParameters.Request(parameters=[parameter])
    return graph.call(SetParameters, f"{node}/set_parameters", request).results[0]


def test_an_emergency_stop_holds_against_what_others_send_as_long_as_it_is_latched(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.graph.call(Trigger, "executor/emergency_stop", Trigger.Request())
    arm.wait_mode(ExecutorState.MODE_EMERGENCY_STOP)
    publisher = arm.graph.node.create_publisher(JointTrajectory, TOPIC, 5)
    arm.graph.wait(lambda: publisher.get_subscription_count() >= 2)
    for _ in range(3):
        count = len(arm.trajectories)
        publisher.publish(foreign())
        arm.graph.wait(lambda count=count: len(arm.trajectories) == count + 2)
        hold = arm.trajectories[-1]
        assert seconds(hold.points[-1].time_from_start) < 0.2
        assert list(hold.points[-1].positions) == pytest.approx(ROBOT.home_rad.tolist(), abs=0.05)
    arm.graph.wait(lambda: arm.diagnosed("foreign_trajectories") == "3")


def test_a_stop_before_the_executor_is_active_holds_the_arm_too(graph) -> None:
    graph.start("executor", autostart=False)
    arm = Arm(graph)
    configure = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert graph.call(ChangeState, "executor/change_state", configure).success
    graph.wait(lambda: graph.node.count_subscribers("joint_states"))
    for _ in range(20):
        graph._executor.spin_once(timeout_sec=0.02)
    assert graph.call(Trigger, "executor/emergency_stop", Trigger.Request()).success
    graph.wait(lambda: arm.trajectories)
    activate = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    assert graph.call(ChangeState, "executor/change_state", activate).success
    handle, _ = arm.give()
    assert not handle.accepted


def test_while_somebody_else_commands_the_controller_the_arm_holds_and_goes_on_when_he_is_gone(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    publisher = arm.graph.node.create_publisher(JointTrajectory, TOPIC, 5)
    arm.wait_mode(ExecutorState.MODE_FAULT)
    # the publisher may be known a moment before the name of its node
    reason = "two masters: expected nobody else to send trajectories, found /test: stop one"
    arm.graph.wait(lambda: arm.states[-1].reason == reason)
    handle, _ = arm.give("another task")
    assert not handle.accepted
    arm.graph.wait(lambda: "found /test" in arm.graph.log("executor").split("run_task:")[-1])
    arm.graph.node.destroy_publisher(publisher)
    arm.wait_mode(ExecutorState.MODE_RUNNING)


def test_deactivation_holds_the_arm_ends_the_task_with_a_result_and_refuses_the_next(arm: Arm) -> None:
    arm.swing_rad = 0.3
    _, future = arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    down = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert arm.graph.call(ChangeState, "executor/change_state", down).success
    result = arm.result(future)
    assert (result.reason, result.message) == (RESULT.REASON_CANCELED, "the executor was deactivated")
    arm.graph.wait(lambda: seconds(arm.trajectories[-1].points[-1].time_from_start) < 0.5)
    handle, _ = arm.give()
    assert not handle.accepted
    assert "expected an active executor, found it inactive" in arm.graph.log("executor")
    up = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    assert arm.graph.call(ChangeState, "executor/change_state", up).success
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)


def test_the_instruction_topic_changes_what_the_task_is_and_nothing_without_one(arm: Arm) -> None:
    publisher = arm.graph.node.create_publisher(String, "instruction", 1)
    arm.graph.wait(publisher.get_subscription_count)
    publisher.publish(String(data="now the other one"))
    arm.graph.wait(lambda: "instruction 'now the other one': no task is running" in arm.graph.log("executor"))
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    publisher.publish(String(data="now the other one"))
    arm.graph.wait(lambda: arm.requests[-1].instruction == "now the other one")
    assert arm.requests[-1].reason == ChunkRequest.REASON_INSTRUCTION
    count = len(arm.requests)
    publisher.publish(String(data="now the other one"))
    arm.graph.wait(lambda: len(arm.requests) > count + 1)
    assert {request.reason for request in arm.requests[count:]} == {ChunkRequest.REASON_THRESHOLD}


def test_live_parameters_change_while_a_task_runs_and_wrong_ones_are_refused(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    assert set_parameter(arm.graph, "executor", "threshold", double_value=0.2).successful
    arm.graph.wait(lambda: arm.states[-1].threshold == pytest.approx(0.2))
    arm.graph.wait(lambda: arm.requests[-1].queued_rows <= 10)
    refused = set_parameter(arm.graph, "executor", "overlap", string_value="median")
    assert not refused.successful
    assert "expected one of latest, weighted_average" in refused.reason
    assert set_parameter(arm.graph, "executor", "overlap", string_value="average").successful
    assert not set_parameter(arm.graph, "executor", "threshold", double_value=1.5).successful
    refused = set_parameter(arm.graph, "executor", "rate", double_value=100.0)
    assert refused.reason == "rate is read at configuration: deactivate and clean up first; the node is active"
    assert arm.states[-1].mode == ExecutorState.MODE_RUNNING


def test_refusals_and_clamps_are_counted_by_kind_on_diagnostics(arm: Arm) -> None:
    arm.answers = False
    arm.give()
    arm.graph.wait(lambda: arm.requests)
    old = time_message(seconds(arm.requests[-1].header.stamp) - 30.0)
    joint_state = arm.requests[-1].header.stamp
    arm.send(arm.requests[-1], camera_names=["top"], image_stamps=[old], joint_state_stamp=joint_state)
    arm.graph.wait(lambda: arm.diagnosed("refused: image top") == "1")
    assert "image top: expected at most 1 s older than the newest input, found 30.00 s" in arm.graph.log("executor")
    arm.graph.wait(lambda: len(arm.requests) >= 2)
    far = ROBOT.home_rad + 0.1
    far[0] = ROBOT.upper_rad[0] + 0.5
    rows = [ROBOT.home_rad + 0.01 + k / 49 * (far - ROBOT.home_rad) for k in range(50)]
    arm.send(arm.requests[-1], positions=rows_message(rows))
    arm.graph.wait(lambda: int(arm.diagnosed("clamped: position") or 0) > 0)
    arm.graph.wait(lambda: 0 < float(arm.diagnosed("own_delay_p99_s") or 0) < 1)
    assert arm.states[-1].instruction == TASK
