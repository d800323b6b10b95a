from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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


@given(arrivals)
def test_whatever_arrives_rows_are_executed_once_in_order_and_without_a_hole(arrived: list) -> None:
    timeline = Timeline(1)
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
            timeline.land(observation, STEP_S, rows(count), now)
        except ChunkRejected:
            continue
        times, _ = timeline.rows()
        assert times[0] > now
        gaps = np.diff(times)
        assert np.all(gaps > 0.499 * STEP_S)
        assert np.all(gaps < 1.501 * STEP_S)
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
