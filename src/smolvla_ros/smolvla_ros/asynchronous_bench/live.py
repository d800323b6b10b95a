"""The graph in real time: what the executor and the policy node add, by the middleware's own stamps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.asynchronous_bench.host_delay import HostDelay
from smolvla_ros.runtime.graph import parse_arguments
from smolvla_ros.runtime.session import Session

TASKS = 15
TIME_LIMIT_S = 30.0
DIAGNOSED_S = 1.5


def live_row(log_folder: Path, tasks: int = TASKS) -> dict[str, Any]:
    """Tasks of the scripted policy, one scene after the other. own_delay_p99_s: from a chunk handed to the executor to
    its trajectory published; overhead_*_s: from the chunk published, so across the middleware and the wait for a core;
    policy_overhead_*_s: from the observation taken to the chunk published, less the policy's own time; executor_cpu: of
    one core. host_delay_p99_s: what the host adds meanwhile to 3 ms of work that comes before all else (host_delay.py).
    """
    from smolvla_ros.nodes.stopwatch import Stopwatch

    outcomes, used_s, lasted_s = [], 0.0, 0.0
    host = HostDelay()
    with Session(parse_arguments([]), log_folder) as session, host:
        session.wait_ready(lambda _text: None)
        operator, pid = session.operator, session.nodes.pids()["executor"]
        stopwatch = Stopwatch(operator)
        for seed in range(tasks):
            instructions = operator.reset_scene(seed)
            operator.listen(0.5)
            begun_s, before_s = operator.now_s(), _processor_s(pid)
            outcomes.append(
                operator.run_task(instructions[seed % len(instructions)], TIME_LIMIT_S, True, lambda _state: True)
            )
            used_s += _processor_s(pid) - before_s
            lasted_s += operator.now_s() - begun_s
        operator.listen(DIAGNOSED_S)
        latencies_s = stopwatch.latencies_s()
        own_delay_s = stopwatch.own_delay_p99_s()
        overheads_s, policy_overheads_s = stopwatch.overheads_s(), stopwatch.policy_overheads_s()
    return {
        "mode": "async",
        "n_action_steps": None,
        "latency_s": round(float(np.median(latencies_s)), 4),
        "task_time_s": round(float(np.mean([outcome.duration_s for outcome in outcomes])), 4),
        "success_rate": float(np.mean([outcome.task_done for outcome in outcomes])),
        "starved_s": round(float(np.mean([outcome.starved_s for outcome in outcomes])), 4),
        "own_delay_p99_s": round(own_delay_s, 5),
        "overhead_p50_s": round(float(np.median(overheads_s)), 5),
        "overhead_p99_s": round(float(np.quantile(overheads_s, 0.99)), 5),
        "executor_cpu": round(used_s / lasted_s, 4),
        "policy_overhead_p50_s": round(float(np.median(policy_overheads_s)), 5),
        "policy_overhead_p99_s": round(float(np.quantile(policy_overheads_s, 0.99)), 5),
        "host_delay_p99_s": round(host.p99_s, 5),
    }


def _processor_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
