"""Two executors on one controller, in processes of their own."""

from __future__ import annotations

import signal
import time
from typing import Any

from played_arm import Arm

from smolvla_msgs.msg import ExecutorState

TOPIC = "/joint_trajectory_controller/joint_trajectory"


def test_a_second_executor_is_told_of_and_takes_no_task_and_the_first_goes_on_once_it_is_dead(graph) -> None:
    graph.start("executor", fault_time_limit=600.0, joint_state_timeout=5.0)
    arm = Arm(graph)
    arm.give(time_limit_s=600.0)
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    graph.start("executor", second=True)
    reason = "two masters: expected nobody else to send trajectories, found /executor_2: stop one"
    state = graph.wait(lambda: next((s for s in arm.states if s.reason == reason), None))
    assert state.mode == ExecutorState.MODE_FAULT
    graph.wait(lambda: "the arm holds: two masters" in graph.log("executor"))
    count = len(arm.trajectories)
    told_by_the_second = f"nobody else to send trajectories to {TOPIC}, found /executor\n"

    def told() -> bool:
        """Both have the action under one name, so both are asked; the second may not know the first's name at once."""
        handle, _ = arm.give("another task")
        assert not handle.accepted
        return told_by_the_second in graph.log("executor_2")

    graph.wait(told)
    graph.wait(lambda: "found /executor_2" in graph.log("executor").split("run_task:")[-1])
    graph.wait(lambda: int(arm.diagnosed("goals_refused") or 0) >= 1)
    assert len(arm.trajectories) == count
    graph.stop("executor_2", signal.SIGKILL)
    arm.wait_mode(ExecutorState.MODE_RUNNING)


def test_an_executor_that_was_killed_is_no_rival_of_the_one_in_its_place(graph) -> None:
    graph.start("executor", joint_state_timeout=5.0)
    arm = Arm(graph)
    arm.give(time_limit_s=600.0)
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    graph.stop("executor", signal.SIGKILL)
    arm.states.clear()
    graph.start("executor", joint_state_timeout=5.0)
    graph.wait(lambda: arm.states)
    asked: list[tuple[float, Any]] = []

    def answer() -> Any:
        """A goal that goes out before the new server is known reaches the dead one alone: it is given again."""
        if not asked or time.monotonic() - asked[-1][0] > 2.0:
            asked.append((time.monotonic(), arm.ask()))
        return next((sent.result() for _, sent in asked if sent.done()), None)

    assert graph.wait(answer).accepted
    arm.wait_mode(ExecutorState.MODE_RUNNING)
