"""How many rows have to be left when a chunk is asked for, so that the queue does not run dry.

A chunk of n rows is for the n * step after its observation and lands a latency l after it. The next one is asked for
when g * n rows are left, but not before the one before has landed: at most one request is in flight. So it lands in
time where both hold:

    l <= g * n * step          the paper's condition, g >= g_min = E[l] / (n * step) (arXiv 2506.01844)
    l <= (1 - g_min) * n * step, which is l <= n * step / 2: beyond it no g helps, but a slower pace does (pace.py)
"""

from __future__ import annotations

MARGIN = 1.2
"""On the measured latency: the next chunk may be slower than all but a few of the last."""


def least_threshold(latency_s: float, rows: int, step_s: float) -> float:
    """g_min: with a lower g the queue runs dry before a chunk lands."""
    return latency_s / (rows * step_s)


def safe_threshold(latency_s: float, rows: int, step_s: float) -> float:
    """For a high quantile of the latency its least g with a margin, and a row because the queue is looked at in turns;
    at most 1.
    """
    return min(1.0, MARGIN * least_threshold(latency_s, rows, step_s) + 1 / rows)


def starvation_warning(latency_s: float, rows: int, step_s: float, threshold: float) -> str:
    """For the operator: why a threshold makes the arm stop between chunks, and what to do; empty where it does not."""
    least = least_threshold(latency_s, rows, step_s)
    if threshold < min(least, 0.5):
        return (
            f"threshold too low: expected at least {least:.2f} for a latency of {latency_s:.2f} s, found "
            f"{threshold:.2f}: the arm stops between chunks; raise threshold, or set auto_threshold"
        )
    return ""
