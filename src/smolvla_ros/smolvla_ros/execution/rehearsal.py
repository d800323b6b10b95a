"""A chunk in a process's first moments, when nothing hangs on it."""

from __future__ import annotations

import numpy as np

from smolvla_ros.execution.exchange import ArrivedChunk
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.execution.trajectory import Trajectory

ROWS, STEP_S = 50, 1 / 30
BEGIN_S, AGAIN_S = 1.0, 2.0
INSTRUCTION = "rehearse"


def rehearsed(limits: MotionLimits, settings: ExecutorSettings) -> Trajectory | None:
    """What an executor of these settings, thrown away after it, sends for a chunk that leaves the arm where it is, and
    for another that overlaps it.

    The first chunk through a process takes some times as long as those after it: libraries load what they need.
    """
    core, middle = ChunkExecutor(limits, settings), (limits.lower + limits.upper) / 2
    rows, sent = np.tile(middle, (ROWS, 1)), None
    core.start_task(INSTRUCTION, BEGIN_S)
    for now_s in (BEGIN_S, AGAIN_S):
        core.on_joint_state(now_s, middle)
        if request := core.tick(now_s).request:
            core.on_chunk(ArrivedChunk(request.id, INSTRUCTION, "", now_s, STEP_S, limits.names, rows), now_s)
            sent = core.tick(now_s).trajectory
    return sent
