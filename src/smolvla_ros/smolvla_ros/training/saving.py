"""The checkpoint of a moment, in the public layout; of low-rank changes, these alone beside config and processors."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, Checkpoint, save_checkpoint
from smolvla_ros.model.checkpoint_files import CONFIG_FILE
from smolvla_ros.model.json_file import write_json
from smolvla_ros.model.processors import write_processors
from smolvla_ros.training.low_rank import save_low_rank
from smolvla_ros.training.settings import ALL, BACKBONE, LORA, TrainingSettings


def save_model(
    checkpoint: Checkpoint, settings: TrainingSettings, folder: Path, embodiment: Path | None, lm_head: Tensor | None
) -> None:
    """config.json says what was trained, in LeRobot's fields, so that LeRobot goes on with the same."""
    says = {
        "train_expert_only": settings.train not in (BACKBONE, ALL),
        "freeze_vision_encoder": settings.freeze_vision_encoder,
        "train_state_proj": settings.train_state_proj,
        "use_peft": settings.train == LORA,
    }
    policy = checkpoint.model
    before = policy.config
    config = replace(before, raw={**before.raw, **says})
    if settings.train == LORA:
        save_low_rank(policy, str(checkpoint.path), settings.lora_rank, settings.lora_alpha, folder)
        write_json(folder / CONFIG_FILE, config.to_json())
        write_processors(folder, checkpoint.processors, config)
    else:
        policy.config = config
        try:
            save_checkpoint(checkpoint, folder, lm_head)
        finally:
            policy.config = before
    if embodiment:
        shutil.copyfile(embodiment, folder / EMBODIMENT_FILE)
