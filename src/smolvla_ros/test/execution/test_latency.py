from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.execution.latency import LatencyWindow


def window_of(values: list[float]) -> LatencyWindow:
    window = LatencyWindow()
    for value in values:
        window.add(value)
    return window


def test_before_the_first_measurement_there_is_no_latency() -> None:
    assert window_of([]).quantile_s(0.99) == 0.0
    assert window_of([]).last_s == 0.0


def test_quantiles_of_an_even_spread() -> None:
    window = window_of(np.random.default_rng(0).permutation(np.linspace(0.1, 0.2, 100)).tolist())
    assert window.quantile_s(0.5) == pytest.approx(0.15, abs=0.02)
    assert window.quantile_s(0.95) == pytest.approx(0.195, abs=0.006)
    assert window.quantile_s(1.0) == pytest.approx(0.2)


def test_a_spike_at_start_is_out_of_the_95th_percentile_after_fifteen_chunks() -> None:
    assert window_of([9.0] + [0.1] * 5).quantile_s(0.95) == 9.0
    assert window_of([9.0] + [0.1] * 15).quantile_s(0.95) == 0.1
    assert window_of([0.1] * 60 + [9.0]).quantile_s(0.95) == 0.1


def test_what_has_become_slower_is_seen_at_the_second_slow_chunk() -> None:
    assert window_of([0.1] * 100 + [0.5, 0.5]).quantile_s(0.95) == 0.5


def test_without_a_half_life_all_count_alike():
    window = LatencyWindow(1000, half_life=float("inf"))
    for latency_s in [9.0, 8.0] + [0.01] * 198:
        window.add(latency_s)
    assert window.quantile_s(0.99) == 0.01
    window.add(7.0)
    assert window.quantile_s(0.99) == 7.0
