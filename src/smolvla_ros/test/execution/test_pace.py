from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.execution.pace import SPARE_ROWS, Pace, pace_for, pace_warning

ROWS, STEP_S = 50, 1 / 30
SPAN_S = ROWS * STEP_S


def test_a_policy_that_is_quick_enough_is_executed_at_its_own_pace() -> None:
    assert pace_for(0.78, ROWS, STEP_S, 2.0, Pace()) == Pace()


@given(st.floats(0.01, 10.0), st.floats(1.0, 4.0), st.floats(1.0, 4.0), st.booleans())
def test_at_every_pace_the_next_chunk_lands_before_the_queue_is_dry_or_takes_its_turn(
    latency_s: float, max_slowdown: float, present: float, in_turns: bool
) -> None:
    present_pace = Pace(in_turns=True) if in_turns else Pace(min(present, max_slowdown))
    pace = pace_for(latency_s, ROWS, STEP_S, max_slowdown, present_pace)
    assert 1.0 <= pace.slowdown <= max_slowdown
    if pace.in_turns:
        assert pace.slowdown == 1.0
        assert 2 * latency_s > max_slowdown * (ROWS - SPARE_ROWS) * STEP_S
    else:
        assert 2 * latency_s <= pace.slowdown * SPAN_S


def test_a_pace_is_kept_while_latencies_vary_a_little() -> None:
    slowed = pace_for(1.0, ROWS, STEP_S, 2.0, Pace())
    assert slowed.slowdown == pytest.approx(1.26, rel=0.06)
    for latency_s in (0.85, 0.95, 1.0):
        assert pace_for(latency_s, ROWS, STEP_S, 2.0, slowed) == slowed
    assert pace_for(0.3, ROWS, STEP_S, 2.0, slowed) == Pace()


def test_a_warning_tells_the_limit_what_is_done_about_it_and_what_to_do() -> None:
    assert pace_warning(0.3, ROWS, STEP_S, Pace()) == ""
    slower = pace_warning(1.0, ROWS, STEP_S, Pace(1.3))
    assert "expected at most 0.83 s for chunks of 50 rows of 0.033 s, found 1.00 s" in slower
    assert "1.30 times slower" in slower
    assert "fewer num_steps" in slower
    assert "the arm holds while the policy computes" in pace_warning(3.0, ROWS, STEP_S, Pace(in_turns=True))
