"""What is wrong with a dataset's rows: frames, units, jumps, statistics. Each check is a function over arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.data.feature_statistics import Statistics, vector_moments

GRIPPER = "range_0_100"
FASTEST = {"degrees": 600.0, "range_m100_100": 600.0, "radians": 10.5, "range_0_100": 800.0}
"""Units a second that no STS3215 reaches: it turns by about 300 degrees a second unloaded, a gripper spans less."""
MOST_RADIANS, MOST_DEGREES, MOST_RANGE = 2 * np.pi, 360.0, 100.0
RANGE_MARGIN = 5.0
STATISTICS_TOLERANCE = 1e-3
STILL_LEVELS, MOVED_SHARE = 20.0, 0.1
"""Of pictures that differ by less than what coding adds, while a joint moved by more of its range than this. Coding
and noise of up to 10 levels change a picture that stands by up to 14; a simulated arm that moves by so much in half a
second changes it by 91 and more."""
REMEDIES = {
    "frames": "`smolvla dataset repair` leaves out what is lost",
    "frozen": "`smolvla dataset delete` or `trim` it, and check the camera's cable",
    "jump": "look at it with `smolvla dataset view`, then `delete` or `trim` it, and calibrate if it comes again",
    "unit": "correct `units` of the feature in meta/info.json, if you know them",
    "statistics": "`smolvla dataset repair` makes them anew",
}
"""Kinds of findings and what to do about them."""


@dataclass(frozen=True)
class Finding:
    """kind: one of REMEDIES. episode None: of the whole dataset. frame: the first of the episode that it is about."""

    kind: str
    feature: str
    message: str
    episode: int | None = None
    frame: int | None = None

    @property
    def remedy(self) -> str:
        return REMEDIES[self.kind]

    def __str__(self) -> str:
        where = "" if self.episode is None else f"episode {self.episode}: "
        return f"{where}{self.feature}: {self.message}; {self.remedy}"


def frame_findings(columns: Mapping[str, np.ndarray], fps: int, tolerance_s: float) -> list[tuple[str, str]]:
    """Of one episode: (feature, message) where frame_index does not count from 0 or timestamp is not its time."""
    found = []
    numbers = columns["frame_index"]
    wrong = np.flatnonzero(numbers != np.arange(len(numbers)))
    if len(wrong):
        found.append(("frame_index", f"expected {wrong[0]} in row {wrong[0]}, found {numbers[wrong[0]]}"))
    late = np.abs(columns["timestamp"].astype(float) - np.arange(len(numbers)) / fps)
    if len(late) and late.max() > tolerance_s:
        row = int(late.argmax())
        message = f"expected {row / fps:.4f} s in row {row}, found {columns['timestamp'][row]:.4f} s"
        found.append(("timestamp", message))
    return found


def jumps(values: np.ndarray, units: Sequence[str], fps: int) -> list[tuple[int, int, float]]:
    """(row, component, units a second) where values (frames, components) change faster than a servo can."""
    speed = np.abs(np.diff(values.astype(float), axis=0)) * fps
    bounds = np.array([FASTEST[unit] for unit in units])
    return [(int(row) + 1, int(c), float(speed[row, c])) for row, c in np.argwhere(speed > bounds)]


def speed_units(values: np.ndarray, units: Sequence[str] | None) -> list[str]:
    """Those named; where none are, those that allow the fastest motion of what the values can be in, gripper last."""
    if units is not None:
        return list(units)
    joints = values[:, :-1] if values.shape[1] > 1 else values
    unit = "radians" if possible_units(joints.min(axis=0), joints.max(axis=0)) == {"radians"} else "degrees"
    return [unit] * (values.shape[1] - 1) + ["radians" if unit == "radians" else GRIPPER]


def possible_units(low: np.ndarray, high: np.ndarray) -> set[str]:
    """Units that joints (not a gripper) with these ranges (joints,) can be in. Several where the ranges do not tell."""
    most = float(np.maximum(np.abs(low), np.abs(high)).max())
    if most <= MOST_RADIANS:
        return {"radians"}  # degrees too, if all joints stayed within a few degrees of their middle
    found = {"degrees"} if most <= MOST_DEGREES else set()
    return found | ({"range_m100_100"} if most <= MOST_RANGE + RANGE_MARGIN else set())


def unit_messages(values: np.ndarray, units: Sequence[str] | None) -> list[str]:
    """What contradicts the units named, or that none are. values (frames, components), the gripper last."""
    joints = values[:, :-1] if values.shape[1] > 1 else values
    possible = possible_units(joints.min(axis=0), joints.max(axis=0))
    spread = f"{joints.min():.3g} to {joints.max():.3g}"
    seem = " or ".join(sorted(possible)) or "no unit known here"
    if units is None:
        return [f"expected units, found none named; values of {spread} suit {seem}"]
    found = []
    stated = {unit for unit in units if unit != GRIPPER}
    if stated and not stated & possible:
        found.append(f"expected {' and '.join(sorted(stated))}, found values of {spread}, which suit {seem}")
    for component, unit in enumerate(units):
        low, high = float(values[:, component].min()), float(values[:, component].max())
        if unit == GRIPPER and (low < -RANGE_MARGIN or high > MOST_RANGE + RANGE_MARGIN):
            found.append(f"component {component}: expected 0 to 100, found {low:.3g} to {high:.3g}")
    return found


def picture_change(before: np.ndarray, after: np.ndarray) -> float:
    """By how many levels the pixels change that change most, one in 200: an arm may fill little of a picture."""
    return float(np.percentile(np.abs(after.astype(np.int16) - before.astype(np.int16)), 99.5))


def frozen_spans(pictures: Iterable[np.ndarray], speeds: np.ndarray, fps: int, min_s: float) -> list[tuple[int, int]]:
    """First and last frame of stretches of min_s or more in which a camera stood still and the arm did not.

    speeds (frames - 1,): the fastest joint's change from frame to frame as a share of its range in the dataset.
    """
    starts: list[int] = []
    first, frames = np.empty(0), 0
    for picture in pictures:
        if not starts or picture_change(first, picture) >= STILL_LEVELS:
            starts.append(frames)
            first = picture
        frames += 1
    ends = [start - 1 for start in starts[1:]] + [frames - 1]
    return [
        (start, end)
        for start, end in zip(starts, ends, strict=True)
        if end + 1 - start >= min_s * fps and speeds[start:end].sum() > MOVED_SHARE
    ]


def statistics_messages(stored: Statistics, values: np.ndarray) -> list[str]:
    """Where stored statistics are not those of values (frames, ...). Quantiles are not looked at."""
    expected = vector_moments(values)
    scale = np.maximum(expected["max"] - expected["min"], 1e-6)
    found = []
    for name in ("min", "max", "mean", "std", "count"):
        if name not in stored or stored[name].shape != expected[name].shape:
            held = stored[name].shape if name in stored else "none"
            found.append(f"expected {name} of shape {expected[name].shape}, found {held}")
            continue
        bound = 0.0 if name == "count" else STATISTICS_TOLERANCE
        wrong = np.abs(stored[name] - expected[name]) / (1 if name == "count" else scale)
        if wrong.max() > bound:
            place = int(wrong.argmax())
            found.append(f"expected {name} {expected[name][place]:.6g} at {place}, found {stored[name][place]:.6g}")
    return found
