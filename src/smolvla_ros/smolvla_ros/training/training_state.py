"""What going on needs besides the checkpoint: the weights being trained, the optimiser's moments, settings.

Order, noise, times and augmentation follow from seed and step, so no state of theirs is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smolvla_ros.model.json_file import read_json
from smolvla_ros.model.tensor_file import read_tensors, write_tensors
from smolvla_ros.training.average import Average
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.settings import DECIDES_THE_COURSE, TrainingSettings, settings_from

TRAINED_FILE, MOMENTS_FILE, AVERAGE_FILE = "trained.safetensors", "optimizer_state.safetensors", "average.safetensors"
SETTINGS_FILE, AUXILIARY = "settings.json", "auxiliary."
REMEDY = "go on with what the run began with, or begin a new one"


def save_state(
    folder: Path,
    settings: TrainingSettings,
    samples: int,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    average: Average | None,
) -> None:
    """samples: how many the run is trained on. Types and values are kept exactly."""
    folder.mkdir(parents=True)
    write_tensors(folder / TRAINED_FILE, {name: _plain(parameter) for name, parameter in parameters.items()})
    moments = {}
    for name, parameter in parameters.items():
        for key, value in optimizer.state[parameter].items():
            moments[f"{name}.{key}"] = _plain(value)
    write_tensors(folder / MOMENTS_FILE, moments)
    if average:
        write_tensors(folder / AVERAGE_FILE, {name: _plain(value) for name, value in average.values.items()})
    about = {"samples": samples, "settings": settings.to_json()}
    (folder / SETTINGS_FILE).write_text(json.dumps(about, indent=2) + "\n")


def saved_settings(folder: Path) -> TrainingSettings:
    """Raises TrainingError, CheckpointError."""
    path = folder / SETTINGS_FILE
    return settings_from(read_json(path, REMEDY)["settings"], str(path))


@torch.no_grad()
def load_state(
    folder: Path,
    settings: TrainingSettings,
    samples: int,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    average: Average | None,
) -> None:
    """Raises TrainingError where the run is another; CheckpointError where a file is damaged."""
    path = folder / SETTINGS_FILE
    before, held = saved_settings(folder), read_json(path, REMEDY)["samples"]
    if held != samples:
        raise mismatch(f"{path}: samples", f"{held}, as the run began", samples, REMEDY)
    for name in DECIDES_THE_COURSE:
        began, now = getattr(before, name), getattr(settings, name)
        if began != now:
            raise mismatch(f"{path}: {name}", f"{began}, as the run began", now, REMEDY)
    if bool(before.ema_decay) != bool(average):
        raise mismatch(f"{path}: ema_decay", f"{before.ema_decay}, as the run began", settings.ema_decay, REMEDY)
    weights = read_tensors(folder / TRAINED_FILE)
    if set(weights) != set(parameters):
        found = f"{len(set(weights) ^ set(parameters))} that only one of both has"
        raise mismatch(folder / TRAINED_FILE, "the parameters that are trained", found, REMEDY)
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])
    moments: dict[str, dict[str, Tensor]] = {}
    for key, value in read_tensors(folder / MOMENTS_FILE).items():
        name, _, moment = key.rpartition(".")
        moments.setdefault(name, {})[moment] = value
    for name, parameter in parameters.items():
        state: dict[str, Any] = optimizer.state[parameter]
        for moment, value in moments.get(name, {}).items():
            state[moment] = value.clone().to(parameter.device)
    if average:
        average.load(read_tensors(folder / AVERAGE_FILE))


def load_auxiliary(folder: Path, auxiliary: nn.Module) -> None:
    """What an auxiliary loss had learned in another run. Raises CheckpointError where a file is damaged."""
    learned = read_tensors(folder / TRAINED_FILE)
    own = {name.removeprefix(AUXILIARY): value for name, value in learned.items() if name.startswith(AUXILIARY)}
    auxiliary.load_state_dict(own)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()
