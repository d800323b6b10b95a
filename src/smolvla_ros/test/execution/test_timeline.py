from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.execution.overlap import OVERLAPS, Overlap
from smolvla_ros.execution.timeline import ChunkRejected, Timeline

STEP_S = 0.1


def rows(count: int, value: float = 0.0) -> np.ndarray:
    return np.full((count, 1), value)


def test_late_rows_are_dropped_by_time_not_by_count() -> None:
    timeline = Timeline(1)
    landing = timeline.land(10.0, STEP_S, np.arange(5.0)[:, None], now_s=10.25)
    assert (landing.late, landing.added) == (3, 2)
    times, positions = timeline.rows()
    np.testing.assert_allclose(times, [10.3, 10.4])
    np.testing.assert_allclose(positions[:, 0], [3, 4])


def test_a_newer_chunk_replaces_the_future_and_keeps_what_comes_before_it() -> None:
    timeline = Timeline(1)
    timeline.land(10.0, STEP_S, rows(10, 1.0), now_s=10.0)
    timeline.land(10.5, STEP_S, rows(10, 2.0), now_s=10.05)
    times, positions = timeline.rows()
    assert list(positions[:, 0]) == [1.0] * 4 + [2.0] * 10
    np.testing.assert_allclose(np.diff(times), STEP_S)
    assert timeline.end_s == pytest.approx(11.4)


def test_an_older_observation_never_replaces_a_newer_one() -> None:
    timeline = Timeline(1)
    timeline.land(10.5, STEP_S, rows(10, 2.0), now_s=10.5)
    before = timeline.rows()
    with pytest.raises(ChunkRejected, match=r"0\.500 s older"):
        timeline.land(10.0, STEP_S, rows(20, 1.0), now_s=10.5)
    with pytest.raises(ChunkRejected, match="the same as the last"):
        timeline.land(10.5, STEP_S, rows(20, 1.0), now_s=10.5)
    for kept, was in zip(timeline.rows(), before, strict=True):
        np.testing.assert_array_equal(kept, was)


def test_a_chunk_that_is_all_past_leaves_the_queue_alone() -> None:
    """A slow server's chunk must not empty the queue (LeRobot's client does that)."""
    timeline = Timeline(1)
    timeline.land(10.0, STEP_S, rows(50, 1.0), now_s=10.0)
    with pytest.raises(ChunkRejected, match="all 3 rows are past"):
        timeline.land(11.0, STEP_S, rows(3, 2.0), now_s=12.0)
    assert len(timeline) == 49


arrivals = st.lists(
    st.tuples(
        st.floats(0, 3),  # observation
        st.floats(0, 2),  # delay
        st.integers(1, 20),  # rows
        st.booleans(),  # arrives twice
    ),
    max_size=25,
)


@given(arrivals, st.sampled_from(OVERLAPS))
def test_whatever_arrives_rows_are_executed_once_in_order_and_without_a_hole(arrived: list, rule: str) -> None:
    timeline = Timeline(1, Overlap((rule,)))
    events = [
        (observation + delay, observation, count)
        for observation, delay, count, twice in arrived
        for _ in range(1 + twice)
    ]
    executed: list[float] = []
    now = 0.0
    for arrival, observation, count in [*sorted(events), (99.0, 0.0, 0)]:
        while now < arrival and len(timeline):
            now = min(arrival, now + 0.02)
            due, _ = timeline.rows()
            executed += list(due[: timeline.advance(now)])
        now = max(now, arrival)
        if not count:
            continue
        try:
            timeline.land(observation, STEP_S, rows(count, observation), now)
        except ChunkRejected:
            continue
        times, values = timeline.rows()
        assert times[0] > now
        gaps = np.diff(times)
        assert np.all(gaps > 0.499 * STEP_S)
        assert np.all(gaps < 1.501 * STEP_S)
        assert np.isfinite(values).all()
    assert executed == sorted(set(executed))


def test_replaced_rows_keep_their_times() -> None:
    timeline = Timeline(1)
    timeline.land(0.0, STEP_S, rows(3), now_s=-1.0)
    timeline.replace(rows(3, 7.0))
    times, positions = timeline.rows()
    np.testing.assert_allclose(times, [0.0, 0.1, 0.2])
    assert set(positions[:, 0]) == {7.0}
    with pytest.raises(ValueError, match="expected positions of shape"):
        timeline.replace(rows(2))


def overlapped(rule: str, new: float = 1.0, phase: float = 0.0, **settings: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and values after a chunk of 0 for 0 to 1.9 s met one of `new`, observed at 0.5 s, at 1 s."""
    timeline = Timeline(1, Overlap((rule,), **settings))
    timeline.land(0.0, STEP_S, rows(20, 0.0), now_s=-1.0)
    timeline.advance(1.0 - 1e-9)
    timeline.land(0.5 + phase, STEP_S, rows(20, new), now_s=1.0 - 1e-9)
    times, values = timeline.rows()
    return times, values[:, 0]


@pytest.mark.parametrize(
    ("rule", "share"), [("latest", 1.0), ("weighted_average", 0.7), ("average", 0.5), ("conservative", 0.3)]
)
@pytest.mark.parametrize("phase", [0.0, 0.03])
def test_rows_of_two_chunks_are_combined_and_those_of_one_are_not(rule: str, share: float, phase: float) -> None:
    times, values = overlapped(rule, phase=phase)
    np.testing.assert_allclose(np.diff(times), STEP_S)
    both = times <= 1.9 + 1e-9
    np.testing.assert_allclose(values[both], share, atol=1e-9)
    np.testing.assert_array_equal(values[~both], 1.0)
    assert both.sum() == pytest.approx(10, abs=1)


def test_a_cross_fade_ends_after_its_time_or_where_the_older_chunk_ends() -> None:
    for duration_s, end_s in ((0.5, 1.5), (9.0, 1.9)):
        times, values = overlapped("cross_fade", cross_fade_s=duration_s)
        assert 0 <= values[0] < 0.01
        assert np.all(np.diff(values) >= -1e-12)
        np.testing.assert_allclose(values[times > end_s - 1e-6], 1.0)
        assert np.all(values[times < end_s - 0.05] < 1.0)


def test_a_temporal_ensemble_weighs_every_chunk_as_acts_formula_does() -> None:
    """Not only the newest against the rest: the weights of all chunks that cover a row are exp(-m i), 0 the oldest."""
    timeline = Timeline(1, Overlap(("temporal_ensemble",), ensemble_coefficient=0.5))
    chunks = [3.0, -1.0, 7.0, 2.0]
    for number, value in enumerate(chunks):
        timeline.land(0.1 * number, STEP_S, rows(20, value), now_s=0.1 * number - 0.05)
    times, values = timeline.rows()
    weights = np.exp(-0.5 * np.arange(4))
    np.testing.assert_allclose(values[(times > 0.25) & (times < 1.95), 0], weights @ chunks / weights.sum())
    np.testing.assert_allclose(values[-1, 0], 2.0)


def test_a_joint_may_have_a_rule_of_its_own() -> None:
    """A gripper half way between two opinions holds nothing."""
    timeline = Timeline(2, Overlap(("average", "latest")))
    timeline.land(0.0, STEP_S, np.zeros((20, 2)), now_s=-1.0)
    timeline.land(0.1, STEP_S, np.ones((20, 2)), now_s=0.1)
    np.testing.assert_allclose(timeline.rows()[1][5], [0.5, 1.0])


def test_chunks_out_of_step_are_compared_at_the_same_times() -> None:
    """Two chunks that say the same say so in the mean as well, wherever their rows lie."""
    timeline = Timeline(1, Overlap(("average",)))
    for observation_s in (0.0, 0.53, 1.17):
        timeline.advance(observation_s)
        chunk_s = observation_s + STEP_S * np.arange(30)
        timeline.land(observation_s, STEP_S, np.sin(3 * chunk_s)[:, None], now_s=observation_s)
    times, values = timeline.rows()
    np.testing.assert_allclose(values[:, 0], np.sin(3 * times), atol=2e-3)


def test_queued_rows_are_told_on_an_even_clock() -> None:
    timeline = Timeline(1)
    assert timeline.rows_every(STEP_S).shape == (0, 1)
    for observation_s, now_s in ((0.0, -1.0), (0.53, 0.1)):
        timeline.land(observation_s, STEP_S, (observation_s + STEP_S * np.arange(10))[:, None], now_s)
    told = timeline.rows_every(STEP_S)
    np.testing.assert_allclose(told[:, 0], timeline.start_s + STEP_S * np.arange(len(told)), atol=1e-9)
    assert timeline.end_s - STEP_S < told[-1, 0] <= timeline.end_s


def test_a_rule_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected one of latest, weighted_average, .* found 'median'"):
        Overlap(("median",))
