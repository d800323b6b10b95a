"""A tiny form of the comparison: the order that the ways come in is a matter of behaviour, not of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.asynchronous_bench.bench import COLUMNS, WAYS, Measured, keep, measure, row_of
from smolvla_ros.asynchronous_bench.closed_loop import ClosedLoop
from smolvla_ros.asynchronous_bench.machine import measure_s
from smolvla_ros.asynchronous_bench.plots import plot_comparison, plot_timelines
from smolvla_ros.asynchronous_bench.tasks import run_task
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.world import World

SYNC, SYNC_10, ASYNC, RTC = WAYS


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    return {way.mode: measure(way, 0.3, [0, 1], windows=0) for way in (SYNC, ASYNC, RTC)}


def test_without_waiting_the_same_task_is_done_sooner(measured: dict[str, Measured]) -> None:
    runs = {mode: one.runs[0] for mode, one in measured.items()}
    assert all(run.done for run in runs.values())
    assert runs["sync"].starved_s > 0.5
    for mode in ("async", "rtc"):
        assert runs[mode].starved_s == 0
        assert runs[mode].duration_s < runs["sync"].duration_s - 0.5


def test_a_moved_cube_is_noticed_sooner_than_at_the_end_of_a_chunk(measured: dict[str, Measured]) -> None:
    (waiting, _), (watching, _) = measured["sync"].reactions_s, measured["rtc"].reactions_s
    assert waiting is not None
    assert watching is not None
    assert 0.3 <= watching < waiting


def test_where_a_chunk_takes_over_the_motion_is_as_smooth_as_within_it(measured: dict[str, Measured]) -> None:
    rows = {mode: row_of(one, measured["sync"]) for mode, one in measured.items()}
    assert rows["rtc"]["c1_seam_rad_s"] < 1e-9
    assert rows["rtc"]["c2_seam_rad_s2"] < 0.1 * rows["sync"]["c2_seam_rad_s2"]
    assert rows["rtc"]["border_ratio"] < rows["sync"]["border_ratio"]
    assert rows["rtc"]["jerk_rad_s3"] < rows["sync"]["jerk_rad_s3"]
    assert rows["rtc"]["time_of_sync"] < rows["sync"]["time_of_sync"] == 1.0
    assert tuple(rows["rtc"]) == COLUMNS


def test_a_task_is_the_same_at_every_run() -> None:
    embodiment = load_embodiment()
    first, again = (
        run_task(World(embodiment), ScriptedPolicy(embodiment), RTC, 0.1, 3).recorded.goals for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_slower_than_its_chunks_gets_the_task_done(way) -> None:
    embodiment = load_embodiment()
    run = run_task(World(embodiment), ScriptedPolicy(embodiment), way, 1.8, 0)
    assert run.done


def test_cubes_are_put_back_and_counted() -> None:
    one = measure(RTC, 0.1, [0], windows=1, window_s=12.0)
    assert one.cubes_per_minute >= 5.0 * 2


def test_raw_data_and_plots_are_kept(tmp_path: Path, measured: dict[str, Measured]) -> None:
    keep(tmp_path, list(measured.values()))
    outcomes = json.loads((tmp_path / "runs.json").read_text())
    assert [outcome["settings"]["mode"] for outcome in outcomes] == ["sync"] * 2 + ["async"] * 4
    with np.load(tmp_path / outcomes[-1]["file"]) as kept:
        assert kept["goals_rad"].shape == (len(kept["times_s"]), 6)
    plot_comparison(tmp_path / "comparison.png", [row_of(one, measured["sync"]) for one in measured.values()])
    plot_timelines(tmp_path / "timelines.png", list(measured.values()))
    assert all((tmp_path / name).read_bytes()[:4] == b"\x89PNG" for name in ("comparison.png", "timelines.png"))


def test_the_arm_follows_what_the_controller_was_sent() -> None:
    world = World(load_embodiment())
    world.reset(0)
    loop = ClosedLoop(world, ScriptedPolicy(world.embodiment), RTC, 0.1, "put the red cube in the blue box")
    for _ in range(200):
        loop.advance()
    newest = loop.recorded.trajectories[-1]
    np.testing.assert_allclose(loop.recorded.goals[-1], newest.sample(loop.recorded.times_s[-1])[0], atol=1e-6)
    assert np.abs(loop.recorded.goals[-1] - loop.recorded.measured[-1])[:5].max() < 0.25


def test_a_policys_own_time_is_measured() -> None:
    assert 0 < measure_s("tiny", repeat=1) < 5
