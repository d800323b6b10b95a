"""When a task is over without anybody saying so."""

from __future__ import annotations

from enum import IntEnum

from smolvla_ros.execution.mode import Mode


class TaskEnd(IntEnum):
    """Values of RunTask.Result.reason."""

    FINISHED = 0
    TIME_LIMIT = 1
    CANCELED = 2
    PREEMPTED = 3
    REFUSED = 4
    EMERGENCY_STOP = 5
    FAULT = 6


def end_due(
    mode: Mode, reason: str, task_time_s: float, held_s: float, time_limit_s: float, fault_time_limit_s: float
) -> tuple[TaskEnd, str] | None:
    """Why the running task ends now, and the words for its result; None where it goes on."""
    if mode == Mode.EMERGENCY_STOP:
        return TaskEnd.EMERGENCY_STOP, reason
    if task_time_s >= time_limit_s:
        return TaskEnd.TIME_LIMIT, f"the time limit of {time_limit_s:g} s is over"
    if held_s > fault_time_limit_s:
        return TaskEnd.FAULT, reason
    return None
