"""What the executor is doing, and what keeps the arm from moving apart from the policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from smolvla_ros.execution.joint_watch import JointWatch
from smolvla_ros.execution.requests import RequestGate


class Mode(IntEnum):
    """Values of ExecutorState.mode."""

    IDLE = 0
    RUNNING = 1
    STARVED = 2
    PAUSED = 3
    FAULT = 4
    EMERGENCY_STOP = 5


@dataclass
class Holds:
    """State: the operator's latches, whether there is a task, and who else may command the arm ("" for nobody)."""

    stopped: bool = False
    paused: bool = False
    running: bool = False
    rivals: str = ""

    def mode(self, joints: JointWatch, now_s: float) -> tuple[Mode, str] | None:
        """The weightiest reason to hold; None where the arm may move."""
        if self.stopped:
            return Mode.EMERGENCY_STOP, "emergency stop: reset it by reset_emergency_stop"
        if not self.running:
            return Mode.IDLE, "no task"
        if self.paused:
            return Mode.PAUSED, "paused: go on by resume"
        if self.rivals:
            return Mode.FAULT, f"two masters: expected nobody else to send trajectories, found {self.rivals}: stop one"
        if joints.blind:
            return Mode.FAULT, joints.blindness(now_s)
        return None


def mode_by_policy(queued_rows: int, gate: RequestGate, fault: str, first_chunk: bool) -> tuple[Mode, str]:
    """Mode and reason of a task that nothing else holds. fault: why the last answer could not be executed."""
    if queued_rows:
        return Mode.RUNNING, ""
    if gate.unanswered:
        return Mode.STARVED, f"the policy gave no answer within {gate.timeout_s:g} s: is its node running?"
    if fault:
        return Mode.FAULT, fault
    if first_chunk:
        return Mode.STARVED, "waiting for the first chunk"
    return Mode.STARVED, "no row is left: waiting for the policy"
