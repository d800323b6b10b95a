"""One line that tells how a task is going: rewritten in place on a terminal, a line every two seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

TERMINAL_PERIOD_S, FILE_PERIOD_S = 0.2, 2.0


class ProgressLine:
    """Shows ExecutorState messages on `stream`."""

    def __init__(self, stream: TextIO, mode_name: Callable[[Any], str]) -> None:
        self._mode_name = mode_name
        self._stream, self._terminal = stream, stream.isatty()
        self._last = 0.0

    def show(self, state: Any) -> None:
        now = time.monotonic()
        if state is None or now - self._last < (TERMINAL_PERIOD_S if self._terminal else FILE_PERIOD_S):
            return
        self._last = now
        text = (
            f"  {state.task_time:5.1f} s  {self._mode_name(state):9}  queue {state.queue_depth:3d}/{state.horizon}  "
            f"chunks {state.chunks_received:3d}  latency {state.latency_p50 * 1e3:4.0f} ms  "
            f"starved {state.starved_time:.2f} s" + (f"  {state.reason}" if state.reason else "")
        )
        self._stream.write(f"\r\033[K{text}" if self._terminal else text + "\n")
        self._stream.flush()

    def close(self) -> None:
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()
