"""Nodes ask for their priority, and say so once where they do not get it."""

from __future__ import annotations

import os

from played_arm import Arm
from so100_hardware.thread_priority import urgent


def test_every_thread_of_the_executor_has_the_priority_or_the_log_says_once_why_not(graph) -> None:
    child = graph.start("executor", thread_priority=3)
    arm = Arm(graph)
    graph.wait(lambda: arm.states)
    threads = [int(thread) for thread in os.listdir(f"/proc/{child.pid}/task")]
    found = {(os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority) for thread in threads}
    refusals = graph.log("executor").count("thread_priority: expected a user who may run threads under SCHED_FIFO at 3")
    assert (found, refusals) in (({(os.SCHED_FIFO, 3)}, 0), ({(os.SCHED_OTHER, 0)}, 1))


def test_a_policy_has_its_moments_of_priority_or_the_log_says_once_why_not(graph) -> None:
    with urgent(3) as forbidden:
        pass
    child = graph.start("policy", policy="scripted", thread_priority=3)
    graph.wait(lambda: "ready after" in graph.log("policy"))
    graph.wait(lambda: not forbidden or "thread_priority" in graph.log("policy"))
    refusals = graph.log("policy").count("thread_priority: expected a user who may run threads under SCHED_FIFO at 3")
    assert refusals == bool(forbidden)
    threads = [int(thread) for thread in os.listdir(f"/proc/{child.pid}/task")]
    # between its moments it is scheduled as the process that started it
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.sched_getscheduler(0)}
