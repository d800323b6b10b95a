"""Committed rows, in radians and at their own times, become the rows that a new chunk is held to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.config import ACTION
from smolvla_ros.model.normalization import make_normalizer
from smolvla_ros.model.real_time_chunking import Guidance
from smolvla_ros.policies.interface import Observation, PolicyRefusal
from smolvla_ros.policies.real_time_chunking import guidance_of
from smolvla_ros.units import LeRobotUnits

STEP_S, STAMP_S = 0.1, 1_750_000_000.0
ROBOT = load_embodiment()
UNITS = LeRobotUnits(ROBOT)
STATISTICS = {"mean": torch.arange(6) * 3.0 - 7, "std": torch.arange(6) + 2.0}
NORMALIZER = make_normalizer("MEAN_STD", ACTION, 6, {ACTION: STATISTICS}, "statistics")


def observed(rows: int = 5, start_rows: float = 0.0, delay: int = 3) -> Observation:
    """The first committed row is `start_rows` steps after the stamp; row j holds j / 10 rad at every joint."""
    committed = np.repeat(np.arange(rows)[:, None] / 10, 6, axis=1)
    return Observation(STAMP_S, {}, np.zeros(6), "", committed, STAMP_S + start_rows * STEP_S, delay)


def guidance(observation: Observation, chunk: int = 50) -> Guidance:
    found = guidance_of(observation, STEP_S, UNITS, NORMALIZER.forward, chunk, width=32)
    assert found is not None
    return found


def committed_indices(found: Guidance) -> list[float]:
    """Back to radians, and to which committed row each is."""
    radians = UNITS.to_radians(NORMALIZER.inverse(found.previous[0, :, :6]).double().numpy())
    np.testing.assert_allclose(radians, radians[:, :1].repeat(6, axis=1), atol=1e-5)
    return [round(float(row), 3) for row in radians[:, 0] * 10]


def test_rows_are_normalised_as_the_models_actions_and_padded_with_zeros() -> None:
    found = guidance(observed())
    assert found.previous.shape == (1, 5, 32)
    assert found.previous.dtype == torch.float32
    expected = NORMALIZER.forward(torch.from_numpy(UNITS.from_radians(observed().committed)).float())
    torch.testing.assert_close(found.previous[0, :, :6], expected)
    assert (found.previous[..., 6:] == 0).all()


@pytest.mark.parametrize(
    ("start_rows", "indices", "delay"),
    [
        (0.0, [0, 1, 2, 3, 4], 3),
        (-2.0, [2, 3, 4], 1),  # two of the rows are past
        (-4.0, [4], 0),
        (-0.5, [0.5, 1.5, 2.5, 3.5], 2),  # out of step: between rows
        (2.0, [0, 0, 0, 1, 2, 3, 4], 5),  # the image is two rows older than the plan
        (0.5, [0, 0.5, 1.5, 2.5, 3.5], 3),
        (1e-5, [0, 1, 2, 3, 4], 3),  # a stamp's own rounding
        (-1e-5, [0, 1, 2, 3, 4], 3),
    ],
)
def test_rows_are_aligned_with_the_observations_stamp(start_rows: float, indices: list[float], delay: int) -> None:
    found = guidance(observed(start_rows=start_rows))
    assert committed_indices(found) == pytest.approx(indices, abs=2e-3)
    assert found.delay == delay


def test_no_more_rows_than_the_chunk_has() -> None:
    found = guidance(observed(rows=30, delay=20), chunk=12)
    assert found.previous.shape[1] == found.delay == 12


def test_a_delay_beyond_the_committed_rows_freezes_what_there_is() -> None:
    assert guidance(observed(rows=2, delay=9)).delay == 2


@pytest.mark.parametrize("start_rows", [-5.0, -90.0, 50.0, 80.0])
def test_rows_that_are_all_past_or_beyond_the_chunk_guide_nothing(start_rows: float) -> None:
    assert guidance_of(observed(start_rows=start_rows), STEP_S, UNITS, NORMALIZER.forward, 50, 32) is None


def test_nothing_committed_guides_nothing() -> None:
    for committed in (None, np.zeros((0, 6))):
        assert guidance_of(replace(observed(), committed=committed), STEP_S, UNITS, NORMALIZER.forward, 50, 32) is None


@pytest.mark.parametrize("committed", [np.zeros((3, 5)), np.full((3, 6), np.nan), np.zeros(6)])
def test_rows_that_are_no_angles_of_this_robot_are_refused(committed: np.ndarray) -> None:
    with pytest.raises(PolicyRefusal, match="committed: expected rows of 6 finite angles"):
        guidance_of(replace(observed(), committed=committed), STEP_S, UNITS, NORMALIZER.forward, 50, 32)


@pytest.mark.parametrize("delay", [0, 3, 25])
def test_rows_behind_those_executed_meanwhile_are_held_to_less_and_less(delay: int) -> None:
    """However long the answer takes: a horizon from the chunk's first row on would end before a long delay does."""
    found = guidance(observed(rows=45, delay=delay))
    assert (found.delay, found.horizon) == (delay, delay + 10)
    assert found.previous.shape[1] == 45
