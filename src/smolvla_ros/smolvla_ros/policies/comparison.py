"""Two policies on the same observations: how far apart their chunks are, and what each takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.policies.interface import Observation, Policy

FIELDS = ("stamps_s", "positions", "instruction", "cameras")


class RecordingError(ValueError):
    """A file is no recording of observations. The message names it, what was expected and found."""


@dataclass(frozen=True)
class Comparison:
    """chunks: (2, observations, rows, joints) rad, first and second policy; seconds: (2, observations) for a chunk."""

    chunks: np.ndarray
    seconds: np.ndarray

    def rows(self, joint_names: Sequence[str]) -> list[dict[str, Any]]:
        """A flat row a joint, and one for all: mean and largest difference, and the mean over the actions' spread."""
        first, second = self.chunks
        difference, spread = np.abs(second - first), first.std(axis=(0, 1))
        rows = [_row(name, difference[..., joint], spread[joint]) for joint, name in enumerate(joint_names)]
        return [*rows, _row("all", difference, float(first.std()))]


def _row(joint: str, difference: np.ndarray, spread: float) -> dict[str, Any]:
    return {
        "joint": joint,
        "mean_deg": float(np.degrees(difference.mean())),
        "max_deg": float(np.degrees(difference.max())),
        "spread_deg": float(np.degrees(spread)),
        "mean_rel_error": float(difference.mean() / spread) if spread else None,
    }


def compare(first: Policy, second: Policy, observations: Sequence[Observation]) -> Comparison:
    """Both policies on every observation, in turn, each from its beginning. Raises what `infer` raises."""
    chunks: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    seconds: tuple[list[float], list[float]] = ([], [])
    for policy in (first, second):
        policy.reset()
    for observation in observations:
        for side, policy in enumerate((first, second)):
            started = time.perf_counter()
            chunks[side].append(policy.infer(observation).positions)
            seconds[side].append(time.perf_counter() - started)
    if len({chunk.shape for side in chunks for chunk in side}) > 1:
        shapes = " and ".join(str(side[0].shape) for side in chunks)
        raise CheckpointError(f"chunks: expected the same (rows, joints) of both, found {shapes}")
    return Comparison(np.array(chunks), np.array(seconds))


def save_recording(observations: Sequence[Observation], path: Path) -> None:
    """Frames (observations, height, width, 3) uint8 a camera, positions in rad, stamps in s, instruction; no pickle."""
    arrays: dict[str, Any] = {
        "stamps_s": np.array([observation.stamp_s for observation in observations]),
        "positions": np.array([observation.positions for observation in observations]),
        "instruction": np.array(observations[0].instruction),
        "cameras": np.array(list(observations[0].images)),
    }
    for name in observations[0].images:
        arrays[f"image_{name}"] = np.array([observation.images[name] for observation in observations])
    np.savez_compressed(path, **arrays)


def load_recording(path: Path) -> list[Observation]:
    """What `save_recording` wrote. Raises RecordingError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        missing = [name for name in FIELDS if name not in arrays]
        missing += [f"image_{name}" for name in arrays.get("cameras", []) if f"image_{name}" not in arrays]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, ValueError) as error:
        expected = "observations as `smolvla compare --save` writes them"
        raise RecordingError(f"{path}: expected {expected}, found: {error}") from None
    instruction = str(arrays["instruction"])
    return [
        Observation(
            float(stamp), {name: arrays[f"image_{name}"][k] for name in arrays["cameras"]}, positions, instruction
        )
        for k, (stamp, positions) in enumerate(zip(arrays["stamps_s"], arrays["positions"], strict=True))
    ]
