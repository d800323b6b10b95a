from __future__ import annotations

import threading
import time

from smolvla_ros.asynchronous_bench import host_delay
from smolvla_ros.asynchronous_bench.host_delay import HostDelay, measured_p99_s


def test_what_takes_longer_than_the_quickest_is_seen(monkeypatch) -> None:
    taken_s = iter([0.1, 0.003, 0.003, 0.011])
    over = threading.Event()

    def took(_rounds: int) -> float:
        found = next(taken_s)
        if found == 0.011:
            over.set()
        return found

    monkeypatch.setattr(host_delay, "_taken_s", took)
    assert 0.007 < measured_p99_s(over, period_s=0.0) <= 0.008


def test_it_runs_beside_what_is_measured_and_knows_its_figure_after_it() -> None:
    with HostDelay() as host:
        time.sleep(1.0)
    assert host.p99_s > 0.0
    assert host._process.returncode == 0
