"""How rows are executed when chunks come too slowly for the policy's own step.

Where the latency l is more than n * step / 2 the queue runs dry whatever the threshold is (threshold.py). Then either

    the step is stretched to 2 * l / n: the arm moves without a stop, at n * step / (2 * l) of its speed; or
    chunk and motion take turns: the arm holds until a chunk has come, and does the whole of it, as without a queue.
    It moves for n * step of every n * step + l.

Slower rows are the quicker of the two up to l = n * step, where either halves the speed.
"""

from __future__ import annotations

from dataclasses import dataclass

SPARE_ROWS = 3
"""The next chunk takes over so many rows before the last: a spline's end is not yet the motion that goes on there."""
STEADY = 0.2
"""A pace is kept while the one that is needed is not slower, and no quicker than by this part."""


@dataclass(frozen=True)
class Pace:
    """slowdown: the step that rows are executed with over the policy's. in_turns: a chunk is asked for when the queue
    is empty and the arm rests, and executed from its arrival on.
    """

    slowdown: float = 1.0
    in_turns: bool = False


def pace_for(latency_s: float, rows: int, step_s: float, max_slowdown: float, present: Pace) -> Pace:
    """The pace at which the queue does not run dry; in turns where that would be slower than max_slowdown."""
    needed = 2 * latency_s / ((rows - min(SPARE_ROWS, rows // 4)) * step_s)
    if needed > max(1.0, max_slowdown):
        return Pace(in_turns=True)
    kept = present.slowdown
    if needed <= kept and needed > (1 - STEADY) * kept:
        return Pace(kept)
    return Pace(min(max_slowdown, needed) if needed > 1.0 else 1.0)


def pace_warning(latency_s: float, rows: int, step_s: float, pace: Pace) -> str:
    """For the operator: what is done about a slow policy, and what to do; empty at the policy's own pace."""
    if pace == Pace():
        return ""
    done = (
        "the arm holds while the policy computes, then does the whole chunk"
        if pace.in_turns
        else f"rows are executed {pace.slowdown:.2f} times slower, so that the arm need not stop between chunks"
    )
    return (
        f"latency too long: expected at most {0.5 * rows * step_s:.2f} s for chunks of {rows} rows of {step_s:.3f} s, "
        f"found {latency_s:.2f} s: {done}; use a faster engine or device, fewer num_steps, or a policy with longer "
        "chunks"
    )
