"""The checkpoint of a moment, in the public layout."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, Checkpoint, save_checkpoint
from smolvla_ros.training.settings import ALL, BACKBONE, TrainingSettings


def save_model(
    checkpoint: Checkpoint, settings: TrainingSettings, folder: Path, embodiment: Path | None, lm_head: Tensor | None
) -> None:
    """config.json says what was trained, in LeRobot's fields, so that LeRobot goes on with the same."""
    says = {
        "train_expert_only": settings.train not in (BACKBONE, ALL),
        "freeze_vision_encoder": settings.freeze_vision_encoder,
        "train_state_proj": settings.train_state_proj,
    }
    policy = checkpoint.model
    before = policy.config
    policy.config = replace(before, raw={**before.raw, **says})
    try:
        save_checkpoint(checkpoint, folder, lm_head)
    finally:
        policy.config = before
    if embodiment:
        shutil.copyfile(embodiment, folder / EMBODIMENT_FILE)
