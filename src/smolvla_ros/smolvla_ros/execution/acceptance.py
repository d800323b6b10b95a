"""Whether a chunk that came can be executed: of this task, for these joints, of now, from where the arm is."""

from __future__ import annotations

import numpy as np

from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.freshness import CLOCK_TOLERANCE_S, left_behind
from smolvla_ros.execution.safety import MotionLimits, check_jump, check_rows, joint_columns
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


def acceptable_rows(
    chunk: ArrivedChunk,
    now_s: float,
    measured: np.ndarray,
    limits: MotionLimits,
    settings: ExecutorSettings,
    from_arrival: bool = False,
) -> np.ndarray:
    """The chunk's rows (rows, joints) in the limits' order. Raises ChunkRejected.

    from_arrival: the rows are executed from now on, not from the observation's stamp on.
    """
    columns = joint_columns(limits.names, chunk.joint_names)
    check_rows(chunk.positions, chunk.step_s, limits)
    age_s = now_s - chunk.observation_s
    if age_s < -CLOCK_TOLERANCE_S:
        raise ChunkRejected(f"observation: {-age_s:.2f} s in the future: do the clocks agree?")
    if age_s > settings.observation_timeout_s:
        raise ChunkRejected(
            f"observation: expected at most {settings.observation_timeout_s:g} s old, found {age_s:.2f} s"
        )
    positions = np.asarray(chunk.positions, dtype=float)[:, columns]
    past = 0 if from_arrival else max(0, int(np.floor(age_s / chunk.step_s)) + 1)
    first = min(past, len(positions) - 1)
    check_jump(positions[first], measured, settings.max_jump_rad, limits)
    return positions
