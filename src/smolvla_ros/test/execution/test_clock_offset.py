from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.execution.clock_offset import ClockOffset, Exchange

# s since 1970 in float64: a quarter of a microsecond apart
NOW_S, RESOLUTION_S = 1.8e9, 1e-6


def exchange(at_s: float, offset_s: float, there_s: float, inference_s: float, back_s: float) -> Exchange:
    received_s = at_s + there_s + offset_s
    answered_s = received_s + inference_s
    return Exchange(at_s, received_s, answered_s, answered_s - offset_s + back_s)


delays = st.floats(1e-4, 2.0)


@given(st.floats(-1e4, 1e4), st.lists(st.tuples(delays, delays, delays), min_size=1, max_size=40))
def test_the_true_offset_is_always_within_the_error(offset_s: float, ways: list[tuple[float, float, float]]) -> None:
    clock = ClockOffset()
    for number, (there_s, inference_s, back_s) in enumerate(ways):
        assert clock.add(exchange(NOW_S + 10.0 * number, offset_s, there_s, inference_s, back_s))
        assert clock.network_s == pytest.approx(there_s + back_s, abs=4 * RESOLUTION_S)
        assert abs(clock.offset_s - offset_s) <= clock.error_s + RESOLUTION_S
    assert len(clock) == min(len(ways), 32)


def test_even_ways_give_the_offset_itself_and_the_quickest_exchange_says_most() -> None:
    clock = ClockOffset()
    clock.add(exchange(NOW_S, 3.0, 0.2, 0.5, 0.2))
    assert clock.offset_s == pytest.approx(3.0, abs=RESOLUTION_S)
    assert clock.error_s == pytest.approx(0.2, abs=RESOLUTION_S)
    clock.add(exchange(NOW_S + 1, 3.0, 0.01, 0.5, 0.01))
    clock.add(exchange(NOW_S + 2, 3.0, 0.9, 0.5, 0.01))
    assert clock.offset_s == pytest.approx(3.0, abs=RESOLUTION_S)
    assert clock.error_s == pytest.approx(0.01, abs=RESOLUTION_S)


def test_a_clock_that_was_set_is_followed_with_the_next_exchange() -> None:
    clock = ClockOffset()
    for number in range(20):
        clock.add(exchange(NOW_S + number, 5.0, 0.01, 0.1, 0.01))
    clock.add(exchange(NOW_S + 21, 0.001, 0.01, 0.1, 0.01))
    assert clock.offset_s == pytest.approx(0.001, abs=RESOLUTION_S)
    assert len(clock) == 1


@pytest.mark.parametrize(
    "set_meanwhile",
    [
        Exchange(NOW_S, NOW_S + 0.1, NOW_S + 0.2, NOW_S - 3.0),  # this clock was set back
        Exchange(NOW_S, NOW_S + 0.1, NOW_S - 0.2, NOW_S + 0.3),  # the other was
        Exchange(NOW_S, NOW_S + 0.1, NOW_S + 9.0, NOW_S + 0.3),  # the other was set ahead
    ],
)
def test_an_exchange_during_which_a_clock_was_set_says_nothing(set_meanwhile: Exchange) -> None:
    clock = ClockOffset()
    clock.add(exchange(NOW_S, 1.0, 0.01, 0.1, 0.01))
    assert not clock.add(set_meanwhile)
    assert clock.offset_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_the_operator_is_warned_only_of_a_difference_that_is_sure() -> None:
    clock = ClockOffset()
    assert clock.warning(0.1) == ""
    clock.add(exchange(NOW_S, -1.0, 1.5, 0.1, 2.5))
    assert clock.warning(0.1) == ""
    clock.add(exchange(NOW_S + 5, -1.0, 0.05, 0.1, 0.05))
    assert "behind this machine's: 1.00 s (+- 0.05 s)" in clock.warning(0.1)
    assert "chrony" in clock.warning(0.1)
