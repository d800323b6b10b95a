"""Figures of a command: a table for people, reports/<name>.json for machines."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.runtime.recording import Recording, TaskOutcome

Row = Mapping[str, Any]


def task_row(outcome: TaskOutcome, recording: Recording) -> dict[str, Any]:
    """The row of one task in demo.json."""
    latency = np.array([chunk.latency_s for chunk in recording.chunks])
    inference = np.array([chunk.inference_s for chunk in recording.chunks])
    depth = np.array([sample.queue_depth for sample in recording.queue if sample.mode == "running"])
    return {
        "policy": recording.policy,
        "instruction": outcome.instruction,
        "seed": recording.scene_seed,
        "task_done": outcome.task_done,
        "end": outcome.reason,
        "duration_s": round(outcome.duration_s, 3),
        "recorded_s": round(recording.length_s, 3),
        "chunks": outcome.chunks,
        "rows_executed": outcome.rows_executed,
        "chunk_latency_p50_s": _quantile(latency, 0.5),
        "chunk_latency_p99_s": _quantile(latency, 0.99),
        "inference_p50_s": _quantile(inference, 0.5),
        "queue_depth_p50": _quantile(depth, 0.5),
        "queue_depth_min": _quantile(depth, 0.0),
        "starved_s": round(outcome.starved_s, 3),
        "joint_states_hz": _rate(len(recording.joint_stamps_s), recording.length_s),
        "images_hz": _rate(recording.images, recording.length_s),
        "real_time_factor_min": round(min(recording.real_time_factors), 3) if recording.real_time_factors else None,
    }


def write_report(folder: Path, name: str, rows: Sequence[Row], seed: int) -> Path:
    """Writes <folder>/<name>.json whole or not at all; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": _processor(),
        "python": platform.python_version(),
        "commit": _commit(),
        "command": " ".join(Path(word).name if i == 0 else word for i, word in enumerate(sys.argv)),
        "seed": seed,
        "rows": [dict(row) for row in rows],
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, indent=2) + "\n")
    part.replace(path)
    return path


def table(rows: Sequence[Row], columns: Sequence[str] = ()) -> str:
    """Rows as a Markdown table."""
    names = list(columns or rows[0])
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    rendered = [
        "| " + " | ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rendered.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rendered)


def record(row: Row) -> str:
    """One row as lines of `name  value`."""
    width = max(len(name) for name in row)
    return "\n".join(f"  {name.ljust(width)}  {_cell(value)}" for name, value in row.items())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _rate(count: int, duration_s: float) -> float | None:
    return round(count / duration_s, 1) if duration_s > 0 else None


def _quantile(values: np.ndarray, q: float) -> float | None:
    return round(float(np.quantile(values, q)), 4) if len(values) else None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
