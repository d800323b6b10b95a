from __future__ import annotations

import pytest
from smolvla_ros.simulation.pacing import Pace, Rate


def test_simulated_time_stays_level_with_the_wall_clock_at_any_call_rate() -> None:
    pace = Pace(0.004, now_s=10.0)
    taken = sum(pace.steps_due(10.0 + k * 0.0013) for k in range(1, 1001))
    assert taken * 0.004 == pytest.approx(1.3, abs=0.004)


def test_a_short_stall_is_made_up_and_a_long_one_given_up() -> None:
    pace = Pace(0.004, now_s=0.0, catch_up_s=0.1)
    assert pace.steps_due(0.08) == 20
    assert pace.steps_due(60.0) == 25


def test_the_real_time_factor_tells_of_lost_time() -> None:
    pace = Pace(0.01, now_s=0.0, catch_up_s=0.1)
    pace.steps_due(2.0)
    assert pace.real_time_factor == pytest.approx(0.05, abs=0.01)
    for k in range(1, 200):
        pace.steps_due(2.0 + k * 0.01)
    assert pace.real_time_factor == pytest.approx(1.0, abs=0.02)


def test_a_rate_is_that_of_the_last_second_and_falls_to_zero() -> None:
    rate = Rate()
    assert rate.hz(0.0) == 0.0
    for k in range(90):
        rate.happened(k / 30 + (0.004 if k % 2 else 0.0))  # jitter does not bend it
    assert rate.hz(89 / 30) == pytest.approx(30.0, abs=0.2)
    assert rate.hz(5.0) == 0.0
