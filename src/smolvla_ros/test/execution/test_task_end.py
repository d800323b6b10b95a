from __future__ import annotations

import pytest
from smolvla_ros.execution.mode import Mode
from smolvla_ros.execution.task_end import TaskEnd, end_due


@pytest.mark.parametrize(
    ("mode", "task_time_s", "held_s", "end"),
    [
        (Mode.RUNNING, 59.9, 0.0, None),
        (Mode.PAUSED, 30.0, 0.0, None),
        (Mode.RUNNING, 60.0, 0.0, TaskEnd.TIME_LIMIT),
        (Mode.FAULT, 20.0, 5.0, None),
        (Mode.STARVED, 20.0, 5.1, TaskEnd.FAULT),
        (Mode.EMERGENCY_STOP, 70.0, 9.0, TaskEnd.EMERGENCY_STOP),
    ],
)
def test_a_task_ends_at_its_limit_after_a_lasting_fault_or_by_an_emergency_stop(
    mode: Mode, task_time_s: float, held_s: float, end: TaskEnd | None
) -> None:
    due = end_due(mode, "why", task_time_s, held_s, time_limit_s=60.0, fault_time_limit_s=5.0)
    assert (due[0] if due else None) == end
