"""Where one chunk takes over from another the arm moves no rougher than within a chunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench import HOME, STEP_S, TASK, Bench
from smolvla_ros.execution.exchange import ArrivedChunk

SAMPLE_S = 0.001
SETTLED_S = 3.0


class Wave(Bench):
    """A policy of smooth motions, well inside the limits; `waver_rad`: how far its chunks disagree with each other."""

    waver_rad, pace = 0.0, 3.0

    def wave(self, times: np.ndarray) -> np.ndarray:
        return HOME + 0.2 * np.sin(self.pace * (times - 100.0))[:, None] * np.array([1, 1, -1, 1, 1, 0.5])

    def chunk(self, observation_s: float, request_id: int = 0, rows: int = 50) -> ArrivedChunk:
        """Observed a little before it was asked for, so that chunks are out of step with each other."""
        rng = np.random.default_rng(request_id)
        chunk = super().chunk(observation_s - rng.uniform(0, STEP_S), request_id, rows)
        return replace(chunk, positions=chunk.positions + rng.normal(0, self.waver_rad, 6))


def border_and_interior(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Accelerations (samples, joints) in the two rows' time after a chunk took over, and in the rest."""
    border, interior = [], []
    for trajectory, following in zip(bench.trajectories, bench.trajectories[1:], strict=False):
        start_s = trajectory.times_s[0]
        at = np.arange(start_s, following.times_s[0], SAMPLE_S)
        if start_s < 100.0 + SETTLED_S or len(at) < 100:
            continue
        velocities = np.array([trajectory.sample(time_s)[1] for time_s in at])
        acceleration = np.abs(np.diff(velocities, axis=0)) / SAMPLE_S
        taking_over = at[:-1] < start_s + 2 * STEP_S
        border.append(acceleration[taking_over])
        interior.append(acceleration[~taking_over])
    assert len(border) > 10
    return np.concatenate(border), np.concatenate(interior)


def ran(latency_s: float, overlap: str, waver_rad: float = 0.0) -> Bench:
    bench = Wave(latency_s, overlap=overlap)
    bench.waver_rad = waver_rad
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(15.0)
    assert bench.executor.counts.starved_s == 0
    return bench


@pytest.mark.parametrize("latency_s", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("overlap", ["latest", "weighted_average", "temporal_ensemble", "cross_fade"])
def test_chunks_of_a_smooth_policy_join_as_smoothly_as_they_are(latency_s: float, overlap: str) -> None:
    border, interior = border_and_interior(ran(latency_s, overlap))
    assert border.max() <= 1.2 * np.quantile(interior, 0.95)


def test_chunks_that_disagree_are_faded_into_each_other_far_more_smoothly_than_cut() -> None:
    cut, _ = border_and_interior(ran(0.3, "latest", waver_rad=0.02))
    faded, interior = border_and_interior(ran(0.3, "cross_fade", waver_rad=0.02))
    assert faded.max() < cut.max() / 10
    assert np.quantile(faded, 0.95) <= 1.2 * np.quantile(interior, 0.95)
