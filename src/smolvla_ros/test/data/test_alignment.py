from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.data.alignment import Gap, GapError, align, clock, spans
from smolvla_ros.data.errors import DatasetError

MS = 1_000_000
stamps = st.lists(st.integers(0, 2000), min_size=1, max_size=60).map(
    lambda s: np.sort(np.array(s, dtype=np.int64)) * MS
)


@given(stamps, stamps)
def test_each_step_has_the_latest_sample_that_is_not_in_the_future(one: np.ndarray, other: np.ndarray) -> None:
    streams = {"one": one, "other": other}
    if max(one[0], other[0]) > min(one[-1], other[-1]):
        return
    steps = clock(streams, fps=30)
    for name, chosen in align(steps, streams, max_age_s=100).items():
        samples = streams[name]
        assert (samples[chosen] <= steps).all()
        later = np.minimum(chosen + 1, len(samples) - 1)
        assert ((samples[later] > steps) | (later == chosen)).all()


def test_the_clock_runs_from_the_last_beginning_to_the_first_end_without_drift() -> None:
    long = np.array([0, 3600_000]) * MS
    late = np.array([1, 3590_000]) * MS
    steps = clock({"long": long, "late": late}, fps=30)
    assert steps[0] == 1 * MS
    assert steps[-1] <= 3590_000 * MS < steps[-1] + 34 * MS
    assert abs(steps[30 * 3000] - steps[0] - 3000_000 * MS) <= 1


def test_a_gap_within_the_bound_is_filled_with_the_older_sample() -> None:
    samples = np.array([0, 100, 300, 400]) * MS
    steps = np.arange(0, 401, 100) * MS
    np.testing.assert_array_equal(align(steps, {"s": samples}, max_age_s=0.1)["s"], [0, 1, 1, 2, 3])


def test_a_gap_beyond_the_bound_is_refused_and_all_gaps_are_told() -> None:
    steps = np.arange(0, 1001, 100) * MS
    streams = {"top": np.array([0, 100, 500, 1000]) * MS, "arm": np.array([250, 1000]) * MS}
    with pytest.raises(GapError, match=r"stream arm: .*found none at steps 0 to 2 of 11 \(4 gaps") as caught:
        align(steps, streams, max_age_s=0.25)
    assert caught.value.gaps[0] == Gap("top", 4, 4, pytest.approx(0.3))
    assert [(g.stream, g.first_step, g.last_step) for g in caught.value.gaps] == [
        ("top", 4, 4),
        ("top", 8, 9),
        ("arm", 0, 2),
        ("arm", 6, 9),
    ]


def test_stamps_that_go_back_are_refused_with_the_place() -> None:
    with pytest.raises(DatasetError, match=r"stream top: expected ascending stamps, found 0.050 s back at sample 2"):
        align(np.array([0]), {"top": np.array([0, 100, 50]) * MS}, max_age_s=1)


def test_streams_without_a_common_time_are_refused_by_name() -> None:
    with pytest.raises(DatasetError, match=r"late begins 0.500 s after early has ended"):
        clock({"early": np.array([0, 500]) * MS, "late": np.array([1000, 2000]) * MS}, fps=30)


def test_a_stream_without_samples_is_refused() -> None:
    with pytest.raises(DatasetError, match="stream top: expected samples, found none"):
        clock({"top": np.array([], dtype=np.int64)}, fps=30)


@given(st.lists(st.booleans(), max_size=40))
def test_spans_cover_the_true_values_and_nothing_else(values: list[bool]) -> None:
    mask = np.array(values, dtype=bool)
    covered = np.zeros(len(mask), dtype=bool)
    for first, last in spans(mask):
        assert not covered[max(first - 1, 0) : last + 1].any()
        covered[first : last + 1] = True
    np.testing.assert_array_equal(covered, mask)
