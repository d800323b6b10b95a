from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.trimming import Span, moving_span, timed_spans

REACH = np.full(2, 100.0)


def moved(still_before: int, moving: int, still_after: int) -> np.ndarray:
    ramp = np.linspace(0, 60, moving + 1)[1:]
    first = np.concatenate([np.zeros(still_before), ramp, np.full(still_after, 60.0)])
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (len(first), 2))
    return np.stack([first, np.zeros_like(first)], axis=1) + noise


def test_what_is_still_at_both_ends_is_found_through_noise() -> None:
    span = moving_span(moved(30, 20, 15), REACH)
    assert abs(span.first - 29) <= 1
    assert abs(span.end - 50) <= 1


def test_what_moves_from_the_first_to_the_last_frame_or_never_stays_whole() -> None:
    assert moving_span(moved(0, 20, 0), REACH) == Span(0, 20)
    assert moving_span(moved(40, 0, 0), REACH) == Span(0, 40)


def test_a_pause_in_the_middle_and_a_way_there_and_back_stay(written: Path) -> None:
    there = moved(10, 20, 30)
    both = np.concatenate([there, there[::-1]])
    span = moving_span(both, REACH)
    assert abs(span.first - 9) <= 1
    assert abs(span.end - 111) <= 1


def test_times_that_leave_nothing_of_an_episode_are_refused(written: Path) -> None:
    dataset = open_dataset(written)
    assert timed_spans(dataset, [0], 0.1, 0.1) == {0: Span(3, 6)}
    with pytest.raises(DatasetError, match=r"episode 1: expected more than 0\.2 s, found 0\.10 s"):
        timed_spans(dataset, range(3), 0.1, 0.1)
