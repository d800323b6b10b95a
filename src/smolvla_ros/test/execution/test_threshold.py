from __future__ import annotations

import pytest
from smolvla_ros.execution.threshold import least_threshold, safe_threshold, starvation_warning

ROWS, STEP_S = 50, 1 / 30


def test_the_least_threshold_is_the_papers() -> None:
    """SmolVLA's example: 30 Hz, 50 rows, 1 s on the server: g >= 0.6."""
    assert least_threshold(1.0, ROWS, STEP_S) == pytest.approx(0.6)


def test_the_safe_threshold_leaves_a_margin_and_is_at_most_one() -> None:
    for latency_s in (0.05, 0.3, 0.8):
        assert safe_threshold(latency_s, ROWS, STEP_S) >= 1.2 * least_threshold(latency_s, ROWS, STEP_S)
    assert safe_threshold(30.0, ROWS, STEP_S) == 1.0


def test_a_warning_tells_what_was_expected_what_was_found_and_what_to_do() -> None:
    assert starvation_warning(0.5, ROWS, STEP_S, threshold=0.7) == ""
    low = starvation_warning(0.5, ROWS, STEP_S, threshold=0.2)
    assert "expected at least 0.30 for a latency of 0.50 s, found 0.20" in low
    assert "raise threshold" in low
