from __future__ import annotations

from smolvla_ros.execution.freshness import left_behind, stale


def test_what_is_of_the_last_moments_is_fresh() -> None:
    assert stale("/top/image_raw", 99.8, 100.0, 0.5) == ""
    assert stale("/top/image_raw", 100.05, 100.0, 0.5) == ""


def test_what_is_old_or_of_the_future_is_told_with_both_sides() -> None:
    told = "/top/image_raw: expected one of the last 0.5 s, the newest is 0.75 s old"
    assert stale("/top/image_raw", 99.25, 100.0, 0.5) == told
    assert "found one of 3.00 s ahead: do the clocks agree?" in stale("/top/image_raw", 103.0, 100.0, 0.5)


def test_an_input_is_measured_by_the_newest_beside_it() -> None:
    assert left_behind({}, 1.0) == ""
    assert left_behind({"a": 5.0, "b": 5.9}, 1.0) == ""
    assert left_behind({"a": 5.0, "b": 6.5}, 1.0).startswith("a: expected at most 1 s older")
