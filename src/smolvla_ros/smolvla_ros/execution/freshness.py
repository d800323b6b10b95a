"""How old what a decision is made from may be."""

from __future__ import annotations

from collections.abc import Mapping

# how far a stamp may lie in the future, and the clock go back, without a word
CLOCK_TOLERANCE_S = 0.1


def stale(name: str, stamp_s: float, now_s: float, max_age_s: float) -> str:
    """Why an input of this stamp is none for now, with both sides; empty where it is fresh."""
    age_s = now_s - stamp_s
    if age_s > max_age_s:
        return f"{name}: expected one of the last {max_age_s:g} s, the newest is {age_s:.2f} s old"
    if age_s < -CLOCK_TOLERANCE_S:
        return f"{name}: expected one of the past, found one of {-age_s:.2f} s ahead: do the clocks agree?"
    return ""


def left_behind(stamps_s: Mapping[str, float], max_age_s: float) -> str:
    """Which part of an observation is too old beside its newest one, a frozen camera for one; empty where none is."""
    newest_s = max(stamps_s.values(), default=0.0)
    for name, stamp_s in stamps_s.items():
        if newest_s - stamp_s > max_age_s:
            return (
                f"{name}: expected at most {max_age_s:g} s older than the newest input, "
                f"found {newest_s - stamp_s:.2f} s: does it still come?"
            )
    return ""
