from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from smolvla_ros.runtime.plot import plot_task
from smolvla_ros.runtime.recording import QueueSample, RecordedChunk, Recording, TaskOutcome
from smolvla_ros.runtime.report import table, task_row, write_report

DEMO_KEYS = {
    "policy",
    "instruction",
    "task_done",
    "chunks",
    "chunk_latency_p50_s",
    "chunk_latency_p99_s",
    "starved_s",
    "duration_s",
}


def recorded() -> tuple[Recording, TaskOutcome]:
    recording = Recording(("a", "b"))
    for k in range(101):
        recording.joint_stamps_s.append(10 + k * 0.01)
        recording.joint_positions.append(np.array([k * 0.01, -k * 0.02]))
    for k, latency in enumerate((0.1, 0.2, 0.3)):
        recording.chunks.append(
            RecordedChunk(10 + k * 0.3, 10 + k * 0.3 + latency, 1 / 30, np.zeros((50, 2)), latency / 2)
        )
        recording.queue.append(QueueSample(10 + k * 0.3, "running", 40 - k, 1.3, 35.0))
    return recording, TaskOutcome("go", "finished", "", True, 1.0, 0.0, 3, 30)


def test_the_demo_row_has_what_the_design_promises() -> None:
    recording, outcome = recorded()
    row = task_row(outcome, recording)
    assert row.keys() >= DEMO_KEYS
    assert row["task_done"] is True
    assert row["chunk_latency_p50_s"] == 0.2
    assert row["queue_depth_min"] == 38


def test_a_task_without_a_chunk_still_has_a_row() -> None:
    row = task_row(TaskOutcome("go", "fault", "no camera", None, 1.0, 1.0, 0, 0), Recording(("a",)))
    assert row["task_done"] is False
    assert row["chunk_latency_p50_s"] is None


def test_a_report_names_processor_commit_and_command(tmp_path: Path) -> None:
    path = write_report(tmp_path / "reports", "demo", [{"x": 1}], seed=3)
    report = json.loads(path.read_text())
    assert report["rows"] == [{"x": 1}]
    assert report["seed"] == 3
    assert {"date", "processor", "commit", "command"} <= report.keys()
    assert [p.name for p in path.parent.iterdir()] == ["demo.json"]


def test_a_table_is_markdown_with_even_columns() -> None:
    lines = table([{"name": "a", "value_s": 0.25}, {"name": "long", "value_s": None}]).splitlines()
    assert lines[0] == "| name | value_s |"
    assert len({len(line) for line in lines}) == 1


def test_positions_are_interpolated_and_motion_is_the_largest_joints() -> None:
    recording, _ = recorded()
    np.testing.assert_allclose(recording.positions_at(np.array([10.005])), [[0.005, -0.01]])
    assert recording.motion_since(10.5) == np.float64(1.0)
    assert np.isnan(recording.motion_since(99.0))


def test_the_plot_is_a_picture_of_the_run(tmp_path: Path) -> None:
    recording, outcome = recorded()
    plot_task(tmp_path / "demo.png", recording, outcome)
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
