"""Checkpoints trained here, loaded by LeRobot: whether it gives the same chunk. Of LoRA, by PEFT as LeRobot does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.peer_run import random_sample, run_here, run_peer
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.training.peer_steps import random_batch
from smolvla_ros.training.samples import ArraySamples
from smolvla_ros.training.settings import LORA, TrainingSettings
from smolvla_ros.training.trainer import Trainer

LEARNING_RATE = 1e-2
"""High, so that few steps change the chunk by much."""


def trained_folder(base: Path, train: str, batch: int, steps: int, seed: int, output: Path) -> Path:
    """The checkpoint in `base`, trained on random samples, as a run saves it."""
    checkpoint = load_checkpoint(base)
    arrays = random_batch(checkpoint, batch, 1, seed)
    given = {name.removeprefix("images."): value for name, value in arrays.items() if name.startswith("images.")}
    given |= {"observation.state": arrays["state"], "action": arrays["action"]}
    given |= {"action_is_pad": arrays["action_is_pad"]}
    samples = ArraySamples(given, arrays["task"].tolist())
    settings = TrainingSettings(steps=steps, batch_size=batch, train=train, learning_rate=LEARNING_RATE, seed=seed)
    return Trainer(checkpoint, samples, settings, output, stream=None).run() / "pretrained_model"


def compare_trained(python: Path, size: str, train: str, batch: int, steps: int, seed: int, work: Path) -> float:
    """The largest difference of normalised actions between LeRobot and here. Prints it. Raises PeerError."""
    base = work / f"{train} base"
    save_checkpoint(random_checkpoint(load_embodiment(), size, seed), base)
    folder = trained_folder(base, train, batch, steps, seed, work / f"{train} run")
    checkpoint = load_checkpoint(folder)
    sample = random_sample(checkpoint, seed)
    here, before = run_here(checkpoint, sample)["chunk"], run_here(load_checkpoint(base), sample)["chunk"]
    if train == LORA:
        theirs = run_peer(python, base, sample, 1, adapter=folder)["chunk"]
    else:
        theirs = run_peer(python, folder, sample, 1)["chunk"]
    found = float(np.abs(theirs - here).max())
    print(
        f"{size}, {train}, {steps} steps here: largest difference of LeRobot's chunk {found:.1e}; "
        f"training changed it by {np.abs(here - before).max():.1e}",
        flush=True,
    )
    return found
