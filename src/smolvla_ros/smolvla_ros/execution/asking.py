"""What a request carries: what is queued, how much of it will be done before an answer can come, why it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.exchange import Request
from smolvla_ros.execution.requests import RequestGate
from smolvla_ros.execution.timeline import Timeline
from smolvla_ros.execution.timing import ChunkTiming


@dataclass(frozen=True)
class Asker:
    """Who asks: the task's instruction, the horizon of its chunks (0 before the first), the time between its rows as
    they are executed (0 before the first), where the arm is, and whether it rests.
    """

    instruction: str
    horizon: int
    step_s: float
    measured: np.ndarray | None
    rested: bool


class Asking:
    """State: where the arm was at the last request."""

    def __init__(self, gate: RequestGate, timing: ChunkTiming, timeline: Timeline) -> None:
        self._gate, self._timing, self._timeline = gate, timing, timeline
        self._asked_from: np.ndarray | None = None

    def request(self, now_s: float, asker: Asker, similarity_rad: float) -> Request | None:
        """The request that is due now. similarity_rad: none for the threshold alone while no joint has moved by as
        much since the last, because the answer would be the same.
        """
        if self._timing.in_turns and not asker.rested:
            return None
        unmoved = self._unmoved(asker.measured, similarity_rad)
        due = self._gate.next_request(now_s, len(self._timeline), asker.horizon, unmoved)
        if due is None:
            return None
        self._asked_from = asker.measured
        expected_s, step_s = self._timing.expected_s, asker.step_s
        committed = self._timeline.rows_every(step_s)
        return Request(
            id=due[0],
            reason=due[1],
            instruction=asker.instruction,
            reset=not asker.horizon,  # until a chunk has come: the first request may have been lost
            queued_rows=len(self._timeline),
            delay_rows=int(np.ceil(expected_s / step_s)) if step_s and not asker.rested else 0,
            committed_start_s=self._timeline.start_s if len(committed) else now_s,
            step_s=step_s,
            committed=committed,
            expected_latency_s=expected_s,
        )

    def _unmoved(self, measured: np.ndarray | None, similarity_rad: float) -> bool:
        if self._asked_from is None or measured is None:
            return False
        return bool(np.all(np.abs(measured - self._asked_from) < similarity_rad))
