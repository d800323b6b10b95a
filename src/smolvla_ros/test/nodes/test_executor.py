from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from played_arm import RESULT, ROBOT, TASK, Arm
from smolvla_ros.nodes.conversions import duration_message, rows_message, seconds, time_message
from smolvla_ros.simulation.arm import arm_of
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState
from smolvla_msgs.srv import FinishTask, SetInstruction


@pytest.fixture
def arm(graph) -> Arm:
    graph.start("executor", fault_time_limit=3.0, request_timeout=1.0)
    return Arm(graph)


def test_a_task_runs_until_it_is_told_to_be_finished(arm: Arm) -> None:
    _, future = arm.give()
    state = arm.wait_mode(ExecutorState.MODE_RUNNING)
    assert (state.instruction, state.policy) == (TASK, "still")
    arm.graph.wait(lambda: len(arm.requests) > 2)
    finished = arm.graph.call(
        FinishTask, "executor/finish_task", FinishTask.Request(task_succeeded=True, note="well done")
    )
    assert finished.success
    result = arm.result(future)
    assert (result.reason, result.task_succeeded, result.message) == (RESULT.REASON_FINISHED, True, "well done")
    assert result.chunks >= 2
    first = arm.trajectories[0]
    assert list(first.joint_names) == list(ROBOT.joint_names)
    assert list(first.points[-1].velocities) == [0.0] * 6
    assert seconds(first.points[0].time_from_start) == 0
    assert arm.graph.stop("executor") == 0
    assert "Traceback" not in arm.graph.log("executor")


def test_a_position_controller_is_told_where_to_be_at_the_executors_rate(graph) -> None:
    graph.start("executor", controller="forward_position_controller", rate=100.0)
    arm = Arm(graph)
    arm.swing_rad, told = 0.1, []
    graph.node.create_subscription(Float64MultiArray, "forward_position_controller/commands", told.append, 50)
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    count = len(told)
    graph.wait(lambda: len(told) > count + 60)
    moved = np.abs(np.diff([message.data for message in told], axis=0))
    assert 0 < moved.max() < 0.5
    assert not arm.trajectories


def test_a_synchronous_executor_asks_when_the_chunk_before_is_done(graph) -> None:
    graph.start("executor", mode="sync", n_action_steps=5)
    arm = Arm(graph)
    arm.give()
    graph.wait(lambda: len(arm.requests) > 3)
    assert [request.reason for request in arm.requests[1:4]] == [ChunkRequest.REASON_STARVED] * 3
    assert all(request.queued_rows == 0 for request in arm.requests)


def test_an_overlap_rule_that_there_is_not_ends_the_node_with_those_there_are(graph) -> None:
    child = graph.start("executor", gripper_overlap="median")
    assert child.wait(30) == 2
    assert "expected one of latest, weighted_average" in graph.log("executor")
    assert "Traceback" not in graph.log("executor")


def test_chunks_that_come_too_late_to_keep_the_queue_filled_are_warned_of(graph) -> None:
    graph.start("executor", overlap="cross_fade", auto_threshold=True)
    arm = Arm(graph)
    arm.lag_s = 1.0
    arm.give()
    said = "latency too long: expected at most 0.83 s for chunks of 50 rows of 0.033 s, found 1.0"
    arm.graph.wait(lambda: any(said in array.status[0].message for array in arm.diagnostics))
    assert arm.graph.log("executor").count(said) == 1
    assert arm.states[-1].threshold == pytest.approx(1.2 * 1.0 / (1.28 * 50 / 30) + 1 / 50, abs=0.05)


def test_a_chunk_through_the_table_is_followed_as_far_as_it_is_clear(graph) -> None:
    graph.start("executor", collision_check=True)
    arm, kinematics = Arm(graph), arm_of(ROBOT).kinematics
    arm.answers = False
    arm.give()
    graph.wait(lambda: arm.requests)
    start, end = kinematics.arm_pose(ROBOT.home_rad), kinematics.downward_pose(np.array([0.22, 0.0, -0.06]), 0.0, 0.3)
    course = start + np.linspace(0.0, 1.0, 50)[:, None] * (end - start)
    arm.send(arm.requests[-1], positions=rows_message(kinematics.joint_positions(course)))
    state = arm.wait_mode(ExecutorState.MODE_FAULT)
    assert state.reason.startswith("rows refused: collision: ")
    assert "table" in state.reason
    assert 0 < state.rows_refused < 50
    graph.wait(lambda: arm.diagnosed("refused: collision") == "1")
    sent = np.array([point.positions for point in arm.trajectories[0].points])
    assert 0.0 < kinematics.pinch_path(sent)[:, 2].min() < 0.03


def test_obstacles_that_are_not_there_end_the_node_with_the_reason(graph) -> None:
    child = graph.start("executor", collision_check=True, obstacles="/nowhere.yaml")
    assert child.wait(30) == 2
    assert "obstacles: expected a YAML file, found /nowhere.yaml: No such file" in graph.log("executor")
    assert "Traceback" not in graph.log("executor")


def test_goals_end_by_time_limit_cancel_and_a_newer_goal(arm: Arm) -> None:
    _, future = arm.give(time_limit_s=0.5)
    assert arm.result(future).reason == RESULT.REASON_TIME_LIMIT
    handle, future = arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    handle.cancel_goal_async()
    assert arm.result(future).reason == RESULT.REASON_CANCELED
    _, first = arm.give()
    _, second = arm.give("put the blue cube in the red box")
    assert arm.result(first).reason == RESULT.REASON_PREEMPTED
    arm.graph.wait(lambda: arm.requests[-1].instruction == "put the blue cube in the red box")
    assert not second.done()
    handle, _ = arm.give("  ")
    assert not handle.accepted


def test_a_refused_instruction_ends_the_task_with_the_policys_words(arm: Arm) -> None:
    arm.answers = False
    _, future = arm.give("fold the towel")
    arm.graph.wait(lambda: arm.requests)
    arm.send(arm.requests[-1], status=ActionChunk.STATUS_REFUSED, message="I know cubes and boxes", positions=[])
    result = arm.result(future)
    assert (result.reason, result.message) == (RESULT.REASON_REFUSED, "I know cubes and boxes")
    assert not arm.trajectories


def test_stopped_joint_states_hold_the_arm_then_end_the_task_and_diagnostics_say_why(arm: Arm) -> None:
    _, future = arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.flows = False
    state = arm.wait_mode(ExecutorState.MODE_FAULT)
    assert "joint states are stale" in state.reason
    result = arm.result(future)
    assert result.reason == RESULT.REASON_FAULT
    assert any(
        "joint states are stale" in array.status[0].message and array.status[0].level == DiagnosticStatus.ERROR
        for array in arm.diagnostics
    )


def test_emergency_stop_holds_ends_the_task_and_is_latched(arm: Arm) -> None:
    _, future = arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    assert arm.graph.call(Trigger, "executor/emergency_stop", Trigger.Request()).success
    assert arm.result(future).reason == RESULT.REASON_EMERGENCY_STOP
    stop = arm.trajectories[-1]
    assert seconds(stop.points[-1].time_from_start) < 0.2
    assert list(stop.points[-1].velocities) == [0.0] * 6
    handle, _ = arm.give()
    assert not handle.accepted
    arm.graph.call(Trigger, "executor/reset_emergency_stop", Trigger.Request())
    handle, _ = arm.give()
    assert handle.accepted


def test_pause_holds_and_resume_goes_on(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.graph.call(Trigger, "executor/pause", Trigger.Request())
    arm.wait_mode(ExecutorState.MODE_PAUSED)
    arm.graph.call(Trigger, "executor/resume", Trigger.Request())
    arm.wait_mode(ExecutorState.MODE_RUNNING)


def test_a_new_instruction_reaches_the_policy_while_the_task_runs(arm: Arm) -> None:
    request = SetInstruction.Request(instruction="now the other one", queue=SetInstruction.Request.QUEUE_FLUSH)
    assert not arm.graph.call(SetInstruction, "executor/set_instruction", request).success
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    assert arm.graph.call(SetInstruction, "executor/set_instruction", request).success
    arm.graph.wait(lambda: arm.requests[-1].instruction == "now the other one")
    assert arm.requests[-1].reason == ChunkRequest.REASON_INSTRUCTION


def test_bad_chunks_are_refused_counted_and_told(arm: Arm) -> None:
    arm.answers = False
    arm.give()
    bad = (
        ({"joint_names": ["a"]}, "joint_names: expected shoulder_pan"),
        ({"positions": []}, "positions: expected rows of 6 joints"),
        ({"step": duration_message(-0.1)}, "step: expected above 0 s"),
        ({"positions": rows_message(np.full((3, 6), np.nan))}, "expected a number, found nan"),
        ({"positions": rows_message(np.tile(ROBOT.home_rad + 3, (50, 1)))}, "at most 1 rad is taken"),
        ({"observation_stamp": time_message(time.time() + 3600)}, "in the future"),
        ({"instruction": "something else"}, f"instruction: expected '{TASK}'"),
    )
    for number, (changes, told) in enumerate(bad, start=1):
        arm.graph.wait(lambda number=number: len(arm.requests) >= number)
        arm.send(arm.requests[-1], **changes)
        state = arm.graph.wait(lambda number=number: next((s for s in arm.states if s.chunks_refused == number), None))
        assert told in state.reason
        assert state.mode == ExecutorState.MODE_FAULT
        assert told in arm.graph.log("executor")
    assert not arm.trajectories


def test_a_policy_that_dies_starves_the_arm_which_says_so_and_goes_on_when_it_is_back(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.answers = False
    said = "the policy gave no answer within 1 s: is its node running?"
    state = arm.graph.wait(lambda: next((s for s in arm.states if s.reason == said), None))
    assert state.mode == ExecutorState.MODE_STARVED
    assert state.requests_timed_out >= 1
    count = len(arm.trajectories)
    arm.answers = True
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    assert len(arm.trajectories) > count
    log = arm.graph.log("executor")
    assert f"the arm holds: {said}" in log
    assert "the arm goes on" in log


def test_joint_states_of_another_arm_are_a_fault_that_names_both(arm: Arm) -> None:
    arm.names = [f"left_{name}" for name in ROBOT.joint_names]
    arm.give()
    state = arm.wait_mode(ExecutorState.MODE_FAULT)
    assert state.reason.startswith("/joint_states: expected joints shoulder_pan")
    assert "found left_shoulder_pan" in state.reason
    assert not arm.trajectories


def test_a_newer_goal_may_go_on_with_what_is_queued(arm: Arm) -> None:
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.answers = False
    _, kept = arm.give("open the gripper", queue=SetInstruction.Request.QUEUE_KEEP)
    state = arm.graph.wait(lambda: next((s for s in arm.states if s.instruction == "open the gripper"), None))
    assert (state.mode, state.chunks_received) == (ExecutorState.MODE_RUNNING, 0)
    assert state.queue_depth > 0
    _, _ = arm.give("close the gripper", queue=SetInstruction.Request.QUEUE_FLUSH)
    assert arm.result(kept).reason == RESULT.REASON_PREEMPTED
    state = arm.graph.wait(lambda: next((s for s in arm.states if s.instruction == "close the gripper"), None))
    assert (state.mode, state.queue_depth) == (ExecutorState.MODE_STARVED, 0)


def test_an_executor_that_is_told_to_go_leaves_a_resting_arm(arm: Arm) -> None:
    arm.swing_rad = 0.3
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    arm.graph.wait(lambda: len(arm.requests) > 2)
    assert arm.graph.stop("executor", signal.SIGTERM) == 0
    arm.graph.wait(lambda: seconds(arm.trajectories[-1].points[-1].time_from_start) < 0.2)
    assert "Traceback" not in arm.graph.log("executor")


def test_the_offset_of_the_policy_s_clock_is_reported_and_its_chunks_land(arm: Arm) -> None:
    """The policy's machine is 7 s behind; a chunk's observation is of this one's clock."""
    arm.answers = False
    arm.give()

    def answer_as_the_other_machine() -> bool:
        for request in arm.requests:
            behind = time_message(time.time() - 7.0)
            published = ActionChunk().header
            published.stamp = behind
            arm.send(request, header=published, request_stamp=request.header.stamp, request_received=behind)
        arm.requests.clear()
        return bool(arm.states) and arm.states[-1].mode == ExecutorState.MODE_RUNNING

    arm.graph.wait(answer_as_the_other_machine)
    state = arm.states[-1]
    assert state.clock_offset == pytest.approx(-7.0, abs=0.3)
    assert 0.0 <= state.clock_offset_error < 0.3
    assert 0.0 <= state.network_time < 0.5

    def warned() -> DiagnosticStatus | None:
        answer_as_the_other_machine()
        found = (status for message in arm.diagnostics for status in message.status if "chrony" in status.message)
        return next(found, None)

    status = arm.graph.wait(warned)
    assert "the policy's clock is behind this machine's" in status.message
    assert status.level == DiagnosticStatus.WARN
    values = {pair.key: pair.value for pair in status.values}
    assert float(values["clock_offset_s"]) == pytest.approx(-7.0, abs=0.3)


def test_a_running_task_leaves_the_processor_to_others(graph) -> None:
    """Rclpy's EventsExecutor asks a coroutine again without a pause for as long as it waits."""
    child = graph.start("executor")
    arm = Arm(graph)
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)

    def processor_s() -> float:
        user, system = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    before_s, began_s = processor_s(), time.monotonic()
    graph.wait(lambda: time.monotonic() > began_s + 2.0)
    assert processor_s() - before_s < 0.5 * (time.monotonic() - began_s)
