"""What the executor is told and what it answers with: chunks in, requests and trajectories out. SI units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from smolvla_ros.execution.requests import Reason
from smolvla_ros.execution.trajectory import Trajectory


@dataclass(frozen=True)
class ArrivedChunk:
    """A chunk as it came: positions (rows, columns of joint_names) rad, row k for observation_s + k * step_s.

    input_stamps_s: of each image and of the joint state that it was made from, where it says so.
    """

    request_id: int
    instruction: str
    policy: str
    observation_s: float
    step_s: float
    joint_names: Sequence[str]
    positions: np.ndarray
    input_stamps_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a ChunkRequest carries. committed (rows, joints): all that is queued, row j for committed_start_s +
    j * step_s; the first delay_rows will be executed before an answer can arrive.
    """

    id: int
    reason: Reason
    instruction: str
    reset: bool
    queued_rows: int
    delay_rows: int
    committed_start_s: float
    step_s: float
    committed: np.ndarray
    expected_latency_s: float


@dataclass(frozen=True)
class Commands:
    """What to publish after a tick."""

    trajectory: Trajectory | None = None
    request: Request | None = None


@dataclass
class TaskCounts:
    """Since the task began. starved_s: without a row to execute, from the first chunk on. refusals and clamps: chunks
    and rows by what was wrong with them.
    """

    chunks_received: int = 0
    chunks_refused: int = 0
    rows_executed: int = 0
    rows_late: int = 0
    rows_clamped: int = 0
    rows_refused: int = 0
    starved_s: float = 0.0
    refusals: Counter[str] = field(default_factory=Counter)
    clamps: Counter[str] = field(default_factory=Counter)
