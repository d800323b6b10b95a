"""`smolvla bench train`: seconds a training step and largest difference of losses, beside LeRobot's own step.

Both sides take the same batch, noise and times, from a prepared batch to changed weights: expert and projections learn,
the backbone is frozen, frames of 480 x 640, two cameras, float32. The GPU where there is one, else two threads.
Once more with image tokens found before (`--cache-features`), in rows of their own: LeRobot has no such thing, so that
their ratio is to the same step of LeRobot's, which runs the vision encoder.
"""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.training.peer_steps import Steps, random_batch, steps_here, steps_of_peer

SEED = 0
THREADS = 2


@dataclass(frozen=True)
class Case:
    """A checkpoint's size, samples in a batch, steps of which the first is not counted."""

    size: str
    batch: int
    steps: int


CASES = (Case("tiny", 8, 9), Case("small", 8, 7), Case("full", 2, 4))


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row a size; the peer's columns are None where there is none. Raises PeerError."""
    torch.set_num_threads(THREADS)
    return [found for case in CASES for found in rows_of(case, peer)]


def rows_of(case: Case, peer: Path | None) -> list[dict[str, Any]]:
    """Of one case: the whole step, and the step with image tokens found before."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "checkpoint")
        save_checkpoint(random_checkpoint(load_embodiment(), case.size, SEED), folder)
        checkpoint = load_checkpoint(folder)
        arrays = random_batch(checkpoint, case.batch, case.steps, SEED)
        ours = steps_here(checkpoint, arrays, Path(work, "run"))
        del checkpoint  # both at once need twice the memory
        cached = steps_here(load_checkpoint(folder), arrays, Path(work, "cached"), cached=True)
        theirs = steps_of_peer(peer, folder, arrays, Path(work), gradients=False) if peer else None
    return [_row(case, ours, theirs, "every step"), _row(case, cached, theirs, "cached once")]


def _row(case: Case, ours: Steps, theirs: Steps | None, features: str) -> dict[str, Any]:
    step_s = float(np.median(ours.seconds[1:]))
    gpu = torch.cuda.is_available()
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if gpu else f"{platform.machine()} CPU, {THREADS} threads",
        "size": case.size,
        "image_tokens": features,
        "batch": case.batch,
        "dtype": "float32",
        "step_s": step_s,
        "min_step_s": float(ours.seconds[1:].min()),
        "samples_per_s": case.batch / step_s,
        "peer_step_s": None,
        "peer_min_step_s": None,
        "ratio": None,
        "max_loss_diff": None,
    }
    if theirs is not None:
        peer_s = float(np.median(theirs.seconds[1:]))
        found |= {
            "peer_step_s": peer_s,
            "peer_min_step_s": float(theirs.seconds[1:].min()),
            "ratio": peer_s / step_s,
            "max_loss_diff": float(np.abs(ours.losses - theirs.losses).max()),
        }
    return found
