"""Whether a chunk that came can be executed: of this task, for these joints, of now, from where the arm is."""

from __future__ import annotations

import numpy as np

from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.freshness import CLOCK_TOLERANCE_S, left_behind
from smolvla_ros.execution.safety import MotionLimits, check_rows, joint_columns
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.timeline import ChunkRejected


def check_task(chunk: ArrivedChunk, instruction: str, first_request_id: int) -> None:
    """Raises ChunkRejected where the chunk is for another instruction or answers a request of the task before."""
    if chunk.instruction != instruction:
        raise ChunkRejected(f"instruction: expected '{instruction}', found '{chunk.instruction}'")
    if 0 < chunk.request_id < first_request_id:
        raise ChunkRejected(f"request: expected one of this task, found {chunk.request_id} of the task before")


def check_inputs(chunk: ArrivedChunk, max_age_s: float) -> None:
    """Raises ChunkRejected where an image or the joint state it was made from is old beside the others."""
    if told := left_behind(chunk.input_stamps_s, max_age_s):
        raise ChunkRejected(told)


def acceptable_rows(chunk: ArrivedChunk, now_s: float, limits: MotionLimits, settings: ExecutorSettings) -> np.ndarray:
    """The chunk's rows (rows, joints) in the limits' order. Raises ChunkRejected."""
    columns = joint_columns(limits.names, chunk.joint_names)
    check_rows(chunk.positions, chunk.step_s, limits)
    age_s = now_s - chunk.observation_s
    if age_s < -CLOCK_TOLERANCE_S:
        raise ChunkRejected(f"observation: {-age_s:.2f} s in the future: do the clocks agree?")
    if age_s > settings.observation_timeout_s:
        raise ChunkRejected(
            f"observation: expected at most {settings.observation_timeout_s:g} s old, found {age_s:.2f} s"
        )
    return np.asarray(chunk.positions, dtype=float)[:, columns]


def past_rows(chunk: ArrivedChunk, now_s: float, step_s: float) -> int:
    """How many of its rows, executed with this step, are for times up to now; the last row never is."""
    past = int(np.floor((now_s - chunk.observation_s) / step_s)) + 1
    return min(max(0, past), len(chunk.positions) - 1)
