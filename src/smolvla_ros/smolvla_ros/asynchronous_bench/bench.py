"""`smolvla bench async`: synchronous, asynchronous and real-time-chunking execution of one policy at several latencies.

In the closed loop, faster than real time and the same at every run: the scripted policy, the same seeds for all, with a
chunk that takes 0.1, 0.3, 1.0 s, and as long as a full-size SmolVLA takes on this machine. Then in the graph itself, in
real time: what executor and policy node add to the policy's own time. Raw data and plots go to reports/async/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.asynchronous_bench import smoothness
from smolvla_ros.asynchronous_bench.closed_loop import Way
from smolvla_ros.asynchronous_bench.tasks import TaskRun, cubes_in_window, reaction_s, run_task
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.settings import SYNC, ExecutorSettings
from smolvla_ros.policies.scripted import HORIZON, ScriptedPolicy
from smolvla_ros.simulation.world import World

SEED, SEEDS, WINDOWS, WINDOW_S = 0, 8, 4, 60.0
LATENCIES_S = (0.1, 0.3, 1.0)
PATIENT_S = 20.0
# LeRobot's choice where whole chunks do badly
FEW_ROWS = 10

WAYS = (
    Way("sync", ExecutorSettings(mode=SYNC, request_timeout_s=PATIENT_S)),
    Way("sync", ExecutorSettings(mode=SYNC, n_action_steps=FEW_ROWS, request_timeout_s=PATIENT_S)),
    Way("async", ExecutorSettings(request_timeout_s=PATIENT_S)),
    Way("rtc", ExecutorSettings(request_timeout_s=PATIENT_S), honours_committed=True),
)
COLUMNS = (
    "mode",
    "n_action_steps",
    "latency_s",
    "task_time_s",
    "time_of_sync",
    "cubes_per_minute",
    "throughput_of_sync",
    "success_rate",
    "starved_s",
    "slowdown",
    "border_ratio",
    "reaction_s",
    "jitter_rad_s",
    "jerk_rad_s3",
    "c1_seam_rad_s",
    "c2_seam_rad_s2",
    "c2_interior_rad_s2",
    "own_delay_p99_s",
    "overhead_p50_s",
    "overhead_p99_s",
    "executor_cpu",
    "policy_overhead_p50_s",
    "policy_overhead_p99_s",
    "host_delay_p99_s",
)


@dataclass(frozen=True)
class Measured:
    """A way at a latency: its runs, and the figures that are not in these."""

    way: Way
    latency_s: float
    runs: tuple[TaskRun, ...]
    reactions_s: tuple[float | None, ...]
    cubes_per_minute: float


def rows(_peer: Path | None, raw: Path) -> list[dict[str, Any]]:
    """One row a way and latency, and one of the graph in real time."""
    from smolvla_ros.asynchronous_bench.live import live_row
    from smolvla_ros.asynchronous_bench.machine import own_latency_s
    from smolvla_ros.asynchronous_bench.plots import plot_comparison, plot_timelines

    measured = []
    for latency_s in (*LATENCIES_S, own_latency_s()):
        for way in WAYS:
            measured.append(measure(way, latency_s, range(SEED, SEED + SEEDS), WINDOWS))
            print(_told(measured[-1]), flush=True)
    found = [row_of(one, _whole_chunks(measured, one.latency_s)) for one in measured]
    raw.mkdir(parents=True, exist_ok=True)
    keep(raw, measured)
    plot_comparison(raw / "comparison.png", found)
    plot_timelines(raw / "timelines.png", [one for one in measured if one.latency_s == max(LATENCIES_S)])
    return [*found, dict.fromkeys(COLUMNS) | live_row(raw / "logs")]


def measure(way: Way, latency_s: float, seeds: Sequence[int], windows: int, window_s: float = WINDOW_S) -> Measured:
    embodiment = load_embodiment()
    world, policy = World(embodiment), ScriptedPolicy(embodiment)
    runs = tuple(run_task(world, policy, way, latency_s, seed) for seed in seeds)
    reactions = tuple(reaction_s(world, policy, way, latency_s, run) for run in runs)
    cubes = [cubes_in_window(world, policy, way, latency_s, seed, window_s) for seed in seeds[:windows]]
    return Measured(way, latency_s, runs, reactions, float(np.mean(cubes)) * 60.0 / window_s if cubes else 0.0)


def row_of(measured: Measured, baseline: Measured) -> dict[str, Any]:
    """The row in async.json; times and cubes also as shares of the baseline's, the same latency's synchronous run."""
    way, runs = measured.way, measured.runs
    step_s = 1 / load_embodiment().rates.policy_hz
    recorded = [run.recorded for run in runs]
    jumps = [smoothness.seams(one.trajectories) for one in recorded]
    knots = np.concatenate([smoothness.knot_jumps(one.trajectories) for one in recorded])
    reactions = [seconds for seconds in measured.reactions_s if seconds is not None]
    time_s = float(np.mean([run.duration_s for run in runs]))
    found = {
        "mode": way.mode,
        "n_action_steps": way.settings.n_action_steps or HORIZON,
        "latency_s": round(measured.latency_s, 3),
        "task_time_s": time_s,
        "time_of_sync": time_s / float(np.mean([run.duration_s for run in baseline.runs])),
        "cubes_per_minute": measured.cubes_per_minute,
        "throughput_of_sync": measured.cubes_per_minute / max(baseline.cubes_per_minute, 1e-9),
        "success_rate": float(np.mean([run.done for run in runs])),
        "starved_s": float(np.mean([run.starved_s for run in runs])),
        "slowdown": float(np.mean([run.slowdown for run in runs])),
        "border_ratio": smoothness.border_ratio(recorded, step_s),
        "reaction_s": float(np.median(reactions)) if reactions else None,
        "jitter_rad_s": float(np.mean([smoothness.jitter(one) for one in recorded])),
        "jerk_rad_s3": float(np.mean([smoothness.jerk(one) for one in recorded])),
        "c1_seam_rad_s": float(max(velocity.max() for velocity, _ in jumps)),
        "c2_seam_rad_s2": _high(np.concatenate([acceleration for _, acceleration in jumps])),
        "c2_interior_rad_s2": _high(knots),
    }
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}
    return dict.fromkeys(COLUMNS) | rounded


def keep(raw: Path, measured: Sequence[Measured]) -> None:
    """Each task as an .npz of control steps, and all outcomes in runs.json."""
    outcomes = []
    for one in measured:
        rows_executed = one.way.settings.n_action_steps or HORIZON
        for run, reaction in zip(one.runs, one.reactions_s, strict=True):
            name = f"{one.way.mode}_{rows_executed}_{one.latency_s:.3f}s_seed{run.seed}"
            recorded = run.recorded
            np.savez_compressed(
                raw / f"{name}.npz",
                times_s=np.array(recorded.times_s),
                goals_rad=np.array(recorded.goals, dtype=np.float32),
                accelerations_rad_s2=np.array(recorded.accelerations, dtype=np.float32),
                measured_rad=np.array(recorded.measured, dtype=np.float32),
                queued_rows=np.array(recorded.queued, dtype=np.int16),
                takeovers_s=np.array([trajectory.times_s[0] for trajectory in recorded.trajectories]),
            )
            outcomes.append(
                {
                    "file": f"{name}.npz",
                    "settings": asdict(one.way.settings),
                    "latency_s": one.latency_s,
                    "seed": run.seed,
                    "done": bool(run.done),
                    "duration_s": run.duration_s,
                    "starved_s": run.starved_s,
                    "reaction_s": reaction,
                }
            )
    (raw / "runs.json").write_text(json.dumps(outcomes, indent=1) + "\n")


def _whole_chunks(measured: Sequence[Measured], latency_s: float) -> Measured:
    """The paper's baseline at a latency."""
    return next(one for one in measured if one.way == WAYS[0] and one.latency_s == latency_s)


def _told(one: Measured) -> str:
    times_s = [run.duration_s for run in one.runs]
    done = sum(run.done for run in one.runs)
    return (
        f"  {one.way.mode:5} {one.way.settings.n_action_steps or HORIZON:3} rows, {one.latency_s:.2f} s a chunk: "
        f"{done} of {len(times_s)} done, {np.mean(times_s):.2f} s a task, {one.cubes_per_minute:.1f} cubes a minute"
    )


def _high(values: np.ndarray) -> float:
    return float(np.quantile(values, smoothness.QUANTILE))
