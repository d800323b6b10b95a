"""What this host itself adds to a few milliseconds of work, while something else is measured: a process of its own.

The same computation again and again, before all other processes (SCHED_FIFO at 90, where that is permitted). What it
takes longer than at its quickest is the host's: another machine's turn on a shared core, slower memory, interrupts.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from types import TracebackType

import numpy as np
from so100_hardware.thread_priority import urgent

PRIORITY, PERIOD_S, WORK_S = 90, 0.1, 0.003
SUMMED = 1000


class HostDelay:
    """In a `with`; p99_s is known after it: what 1 % of the computations took longer than the quickest."""

    p99_s = 0.0

    def __enter__(self) -> HostDelay:
        self._process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate()
        self.p99_s = float(said)


def measured_p99_s(over: threading.Event, period_s: float = PERIOD_S) -> float:
    """Until `over` is set."""
    rounds = round(WORK_S / max(_taken_s(100) / 100, 1e-9))
    with urgent(PRIORITY):
        taken_s = [_taken_s(rounds)]
        while not over.wait(period_s):
            taken_s.append(_taken_s(rounds))
    return float(np.quantile(taken_s, 0.99) - min(taken_s))


def _taken_s(rounds: int) -> float:
    begun_s = time.perf_counter()
    for _ in range(rounds):
        sum(range(SUMMED))
    return time.perf_counter() - begun_s


def main() -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    print("begun", flush=True)
    print(measured_p99_s(over))


if __name__ == "__main__":
    main()
