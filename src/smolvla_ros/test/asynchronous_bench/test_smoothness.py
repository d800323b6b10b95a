"""Where chunks take over, on accelerations that are known."""

from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.asynchronous_bench.closed_loop import Recorded
from smolvla_ros.asynchronous_bench.smoothness import border_and_interior, border_ratio
from smolvla_ros.execution.trajectory import Trajectory

STEP_S = 0.1
TAKEOVERS_S = (0.0, 2.0, 4.0)
TIMES_S = np.arange(0.005, 5.0, 0.01)


def recorded(at_border: float, at_start: float = 1.0) -> Recorded:
    """Acceleration 1, but for the two steps after the first chunk's begin and after each that took over."""
    accelerations, still = np.ones(len(TIMES_S)), np.zeros((2, 2))
    for since_s in TAKEOVERS_S:
        accelerations[(since_s <= TIMES_S) & (since_s + 2 * STEP_S > TIMES_S)] = at_border if since_s else at_start
    return Recorded(
        times_s=TIMES_S.tolist(),
        accelerations=[np.array([-value, 0.0]) for value in accelerations],
        queued=[10] * len(TIMES_S),
        trajectories=[Trajectory(np.array([at_s, at_s + 3]), still, still) for at_s in TAKEOVERS_S],
    )


def test_the_ratio_is_that_of_borders_to_what_is_beside_them() -> None:
    assert border_ratio([recorded(at_border=3.0)], STEP_S) == pytest.approx(3.0)
    assert border_ratio([recorded(at_border=1.0)], STEP_S) == pytest.approx(1.0)


def test_a_tasks_first_chunk_takes_over_from_none_and_its_start_counts_as_neither() -> None:
    border, interior = border_and_interior(recorded(at_border=2.0, at_start=9.0), STEP_S)
    assert set(border) == {2.0}
    assert len(border) == 2 * 20
    assert set(interior) == {1.0}
