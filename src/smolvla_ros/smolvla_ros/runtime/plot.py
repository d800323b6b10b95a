"""The picture of one task: joints as driven and as the chunks asked, the queue, the chunks' latency."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from smolvla_ros.runtime.recording import Recording, TaskOutcome

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MODE_COLOURS = {"starved": "tab:orange", "fault": "tab:red", "paused": "tab:gray", "emergency stop": "tab:red"}


def plot_task(path: Path, recording: Recording, outcome: TaskOutcome) -> None:
    """Writes a PNG of joints, chunks and queue over time."""
    origin = recording.joint_stamps_s[0]
    names = recording.joint_names
    figure, axes = plt.subplots(
        len(names) + 2, 1, figsize=(11, 13), sharex=True, height_ratios=[1.0] * len(names) + [1.2, 0.8]
    )
    times, positions = np.array(recording.joint_stamps_s) - origin, np.array(recording.joint_positions)
    for j, name in enumerate(names):
        for k, chunk in enumerate(recording.chunks):
            when = chunk.observation_stamp_s - origin + chunk.step_s * np.arange(len(chunk.positions))
            axes[j].plot(
                when, chunk.positions[:, j], color=plt.cm.viridis(k / len(recording.chunks)), lw=0.7, alpha=0.6
            )
        axes[j].plot(times, positions[:, j], color="black", lw=1.4)
        axes[j].set_ylabel(f"{name}\n(rad)", fontsize=8)
    _plot_queue(axes[-2], recording, origin)
    arrivals = np.array([chunk.arrival_s for chunk in recording.chunks]) - origin
    axes[-1].bar(
        arrivals, [chunk.latency_s * 1e3 for chunk in recording.chunks], width=0.06, color="tab:blue", label="total"
    )
    axes[-1].bar(
        arrivals, [chunk.inference_s * 1e3 for chunk in recording.chunks], width=0.06, color="tab:cyan", label="policy"
    )
    axes[-1].set_ylabel("latency of\nchunks (ms)", fontsize=8)
    axes[-1].legend(loc="upper right", fontsize=7)
    axes[-1].set_xlabel("s")
    axes[-1].set_xlim(0, times[-1])
    word = {True: "done", False: "not done", None: "not judged"}[outcome.judged]
    figure.suptitle(
        f"“{outcome.instruction}” by {recording.policy}: {word} in {outcome.duration_s:.1f} s\n"
        "black: joint as measured; coloured: each chunk as it was asked for, early to late",
        fontsize=10,
    )
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_queue(axis: plt.Axes, recording: Recording, origin: float) -> None:
    times = np.array([sample.stamp_s for sample in recording.queue]) - origin
    axis.step(
        times, [sample.queue_depth for sample in recording.queue], where="post", color="tab:blue", label="rows queued"
    )
    axis.plot(
        times, [sample.threshold_rows for sample in recording.queue], "--", color="tab:red", lw=1, label="threshold g"
    )
    for start, end, sample in zip(times, times[1:], recording.queue, strict=False):
        if sample.mode in MODE_COLOURS:
            axis.axvspan(start, end, color=MODE_COLOURS[sample.mode], alpha=0.3)
    axis.set_ylabel("queue (rows)", fontsize=8)
    axis.legend(loc="upper right", fontsize=7)
