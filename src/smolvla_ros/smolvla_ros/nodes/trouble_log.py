"""The executor's troubles in the log: each once, and when it is over."""

from __future__ import annotations

from typing import Any

from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.mode import Mode
from smolvla_ros.execution.timeline import ChunkRejected


class TroubleLog:
    """State: what has been told. A trouble is known by its headline: what follows may hold figures that change."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._refusal = self._trouble = self._warning = ""
        self._foreign = 0

    def refused(self, chunk_id: int, rejected: ChunkRejected) -> None:
        if str(rejected) != self._refusal:
            self._logger.warning(f"chunk {chunk_id} refused: {rejected}")
        self._refusal = str(rejected)

    def taken(self) -> None:
        """A chunk was taken: the next refusal is news."""
        self._refusal = ""

    def look(self, core: ChunkExecutor) -> None:
        headline = core.reason.partition(":")[0] if core.in_trouble else ""
        if headline and headline not in (self._trouble, "chunk refused"):
            self._logger.warning(f"the arm holds: {core.reason}")
        elif self._trouble and core.mode == Mode.RUNNING:
            self._logger.info("the arm goes on")
        if headline or core.mode == Mode.RUNNING:
            self._trouble = headline
        warning = core.warning.partition(":")[0]
        if warning and warning != self._warning:
            self._logger.warning(core.warning)
        self._warning = warning
        if core.foreign_trajectories > self._foreign:
            self._logger.warning("somebody else sent the arm a trajectory: the arm holds, a task goes on from there")
        self._foreign = core.foreign_trajectories
