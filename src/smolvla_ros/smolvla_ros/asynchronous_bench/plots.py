"""The pictures of the comparison: figures over latency, and one task as each way does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

if TYPE_CHECKING:
    from smolvla_ros.asynchronous_bench.bench import Measured

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
    "task_time_s": "time of a task (s)",
    "cubes_per_minute": "cubes a minute",
    "starved_s": "without a row to execute (s a task)",
    "reaction_s": "reaction to a moved cube (s)",
    "border_ratio": "acceleration at chunk borders over interior",
    "jerk_rad_s3": "jerk (rad/s³)",
}


def plot_comparison(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a PNG with a panel a figure, a line a way."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 7))
    ways = list(dict.fromkeys((row["mode"], row["n_action_steps"]) for row in rows))
    for axis, (column, label) in zip(axes.flat, PANELS.items(), strict=True):
        for mode, executed in ways:
            points = sorted(
                (row["latency_s"], row[column])
                for row in rows
                if (row["mode"], row["n_action_steps"]) == (mode, executed) and row[column] is not None
            )
            axis.plot(*zip(*points, strict=True), "o-", label=f"{mode}, {executed} rows", lw=1.3, ms=4)
        axis.set_xlabel("latency of a chunk (s)")
        axis.set_title(label, fontsize=10)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_timelines(path: Path, measured: Sequence[Measured], joint: int = 0) -> None:
    """Writes a PNG of the first task of each way: a joint's goal and the rows that are queued."""
    figure, axes = plt.subplots(len(measured), 1, figsize=(11, 2.4 * len(measured)), sharex=True, squeeze=False)
    for axis, one in zip(axes[:, 0], measured, strict=True):
        recorded = one.runs[0].recorded
        goals = np.array(recorded.goals)
        axis.plot(recorded.times_s, goals[:, joint], color="black", lw=1.3)
        for trajectory in recorded.trajectories:
            axis.axvline(trajectory.times_s[0], color="tab:red", lw=0.5, alpha=0.5)
        axis.set_ylabel(
            f"{one.way.mode}, {one.way.settings.n_action_steps or 'all'} rows\nshoulder_pan (rad)", fontsize=8
        )
        queue = axis.twinx()
        queue.fill_between(recorded.times_s, recorded.queued, color="tab:blue", alpha=0.2, step="post")
        queue.set_ylabel("rows queued", fontsize=8)
        axis.grid(alpha=0.3)
    axes[0, 0].set_title(f"one task, {measured[0].latency_s:g} s a chunk; red: a chunk takes over", fontsize=10)
    axes[-1, 0].set_xlabel("s")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
