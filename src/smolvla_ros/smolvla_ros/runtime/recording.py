"""What happened during one task, as arrays: the input of report, plot and video."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

RETREAT_S = 2.0  # so long a task stays done before it is over, for the policy to take the arm out of the way


@dataclass(frozen=True)
class RecordedChunk:
    """One chunk: stamps in s, positions (rows, joints) rad. latency_s runs from observation stamp to arrival."""

    observation_stamp_s: float
    arrival_s: float
    step_s: float
    positions: np.ndarray
    inference_s: float

    @property
    def latency_s(self) -> float:
        return self.arrival_s - self.observation_stamp_s


@dataclass(frozen=True)
class QueueSample:
    """One ExecutorState."""

    stamp_s: float
    mode: str
    queue_depth: int
    queue_time_s: float
    threshold_rows: float


@dataclass(frozen=True)
class TaskOutcome:
    """How the task ended. `reason` is RunTask's, `judged` the simulator's word (None where nobody judges).

    duration_s runs until the task was done, or until it ended.
    """

    instruction: str
    reason: str
    message: str
    judged: bool | None
    duration_s: float
    starved_s: float
    chunks: int
    rows_executed: int

    @property
    def task_done(self) -> bool:
        return bool(self.judged)


@dataclass
class Recording:
    """Appended to while the task runs. Times in s on the nodes' clock, positions in rad in the embodiment's order."""

    joint_names: tuple[str, ...]
    joint_stamps_s: list[float] = field(default_factory=list)
    joint_positions: list[np.ndarray] = field(default_factory=list)
    chunks: list[RecordedChunk] = field(default_factory=list)
    queue: list[QueueSample] = field(default_factory=list)
    object_stamps_s: list[float] = field(default_factory=list)
    object_poses: dict[str, list[np.ndarray]] = field(default_factory=dict)
    images: int = 0
    real_time_factors: list[float] = field(default_factory=list)
    scene_seed: int = 0
    policy: str = ""

    def positions_at(self, stamps_s: np.ndarray) -> np.ndarray:
        """Joint positions (len(stamps_s), joints), interpolated."""
        known, values = np.array(self.joint_stamps_s), np.array(self.joint_positions)
        return np.stack([np.interp(stamps_s, known, values[:, j]) for j in range(values.shape[1])], axis=1)

    @property
    def length_s(self) -> float:
        """From the first joint state to the last."""
        return self.joint_stamps_s[-1] - self.joint_stamps_s[0] if self.joint_stamps_s else 0.0

    def motion_since(self, stamp_s: float) -> float:
        """The largest move of any joint since then, rad; nan where no joint state came."""
        rows = [row for stamp, row in zip(self.joint_stamps_s, self.joint_positions, strict=True) if stamp >= stamp_s]
        return float(np.ptp(np.array(rows), axis=0).max()) if rows else float("nan")
