"""Streams of stamped samples on one clock: at each step the latest sample that was there by then, never a later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from smolvla_ros.data.errors import DatasetError, mismatch

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Gap:
    """Steps of a stream whose latest sample was too old, or not there. age_s: the oldest, inf where there was none."""

    stream: str
    first_step: int
    last_step: int
    age_s: float


class GapError(DatasetError):
    """A stream has gaps longer than allowed. `gaps` are all of them."""

    def __init__(self, gaps: tuple[Gap, ...], max_age_s: float, steps: int) -> None:
        self.gaps = gaps
        worst = max(gaps, key=lambda gap: gap.age_s)
        found = "none" if np.isinf(worst.age_s) else f"one {worst.age_s:.3f} s old"
        super().__init__(
            f"stream {worst.stream}: expected at every step a sample at most {max_age_s:g} s old, found {found} at "
            f"steps {worst.first_step} to {worst.last_step} of {steps} ({len(gaps)} gaps in all); record it "
            "again, cut these steps out, or allow older samples"
        )


def clock(stamps_ns: Mapping[str, np.ndarray], fps: int) -> np.ndarray:
    """Steps of 1 / fps from when every stream has begun until one has ended: (steps,) int64 ns, rounded each.

    Raises DatasetError where streams have no time in common.
    """
    for name, stamps in stamps_ns.items():
        _require_order(name, stamps)
    start = max(int(stamps[0]) for stamps in stamps_ns.values())
    end = min(int(stamps[-1]) for stamps in stamps_ns.values())
    if end < start:
        last = max(stamps_ns, key=lambda name: stamps_ns[name][0])
        first = min(stamps_ns, key=lambda name: stamps_ns[name][-1])
        found = f"{last} begins {(start - end) / NANOSECONDS:.3f} s after {first} has ended"
        raise mismatch("streams", "a time that all of them cover", found, "record them together, with one clock")
    steps = (end - start) * fps // NANOSECONDS + 1
    return start + (np.arange(steps, dtype=np.int64) * NANOSECONDS + fps // 2) // fps


def align(clock_ns: np.ndarray, stamps_ns: Mapping[str, np.ndarray], max_age_s: float) -> dict[str, np.ndarray]:
    """For each stream the index of its sample at each step, (steps,): the latest whose stamp is not after the step.

    clock_ns (steps,), stamps (samples,): ascending int64 ns. Raises GapError where a sample is older than max_age_s or
    not there yet, DatasetError where stamps go back.
    """
    gaps: list[Gap] = []
    chosen: dict[str, np.ndarray] = {}
    for name, stamps in stamps_ns.items():
        _require_order(name, stamps)
        chosen[name] = np.searchsorted(stamps, clock_ns, side="right") - 1
        ages_s = (clock_ns - stamps[np.maximum(chosen[name], 0)]) / NANOSECONDS
        ages_s[chosen[name] < 0] = np.inf
        gaps += [Gap(name, a, b, float(ages_s[a : b + 1].max())) for a, b in spans(ages_s > max_age_s)]
    if gaps:
        raise GapError(tuple(gaps), max_age_s, len(clock_ns))
    return chosen


def spans(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run of true values of (n,) bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(behind) - 1) for first, behind in zip(edges[::2], edges[1::2], strict=True)]


def _require_order(name: str, stamps: np.ndarray) -> None:
    if len(stamps) == 0:
        raise mismatch(f"stream {name}", "samples", "none", "check its topic and record it again")
    back = np.flatnonzero(np.diff(stamps) < 0)
    if len(back):
        by_s = (stamps[back[0]] - stamps[back[0] + 1]) / NANOSECONDS
        remedy = "sort them by stamp, or cut the recording where its clock was set"
        raise mismatch(f"stream {name}", "ascending stamps", f"{by_s:.3f} s back at sample {back[0] + 1}", remedy)
