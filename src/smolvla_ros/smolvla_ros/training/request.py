"""What a run was asked for, kept beside its checkpoints, so that it can go on from the folder alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.whole_file import whole_file
from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, load_checkpoint
from smolvla_ros.model.json_file import read_json
from smolvla_ros.training.beginning import camera_names, from_checkpoint, from_scratch
from smolvla_ros.training.dataset_samples import DatasetSamples, split_episodes
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.feature_filling import cached_samples
from smolvla_ros.training.run_folder import MODEL, RunFolder
from smolvla_ros.training.samples import Samples, Subset
from smolvla_ros.training.settings import LORA, TrainingSettings, settings_from
from smolvla_ros.training.trainer import Trainer

REQUEST_FILE = "run.json"
SECTIONS = ("model", "training")


@dataclass(frozen=True)
class Request:
    """policy: a checkpoint, or "" for one from scratch, of sizes `model`. change: fields of config.json.

    renames: the dataset's camera -> the checkpoint's. embodiment: the robot's file, "" for the one that the checkpoint
    has. feature_cache: a folder for image tokens, "" to compute them in each step. settings: those of TrainingSettings.
    """

    dataset: str
    policy: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)
    new_expert: bool = False
    renames: Mapping[str, str] = field(default_factory=dict)
    embodiment: str = ""
    device: str = "cpu"
    wandb_project: str = ""
    feature_cache: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def save(self, output: Path) -> None:
        with whole_file(output / REQUEST_FILE) as path:
            path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def read_request(output: Path) -> Request:
    """Raises CheckpointError where the folder holds no run."""
    return Request(**read_json(output / REQUEST_FILE, "give the --output of a run that has begun"))


def read_recipe(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sections `model` and `training` of a YAML or JSON file. Raises TrainingError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise mismatch(path, "a YAML or JSON file", error, "correct it") from None
    sections = found if isinstance(found, dict) else {}
    if set(sections) - set(SECTIONS) or not all(isinstance(section, dict) for section in sections.values()):
        raise mismatch(path, f"mappings under {' and '.join(SECTIONS)}", found, "correct it")
    settings_from(sections.get("training", {}), str(path))
    return sections.get("model", {}), sections.get("training", {})


def begin(request: Request, output: Path) -> Trainer:
    """The trainer that starts the run, or goes on with it. Raises TrainingError, CheckpointError, DatasetError."""
    settings = settings_from(request.settings, REQUEST_FILE)
    if not request.policy:
        settings = from_the_start(settings)
    dataset, last = open_dataset(request.dataset), RunFolder(output).last
    if last and settings.train != LORA:  # of low-rank changes the folder holds no base
        checkpoint = load_checkpoint(last / MODEL)
    elif request.policy:
        checkpoint = from_checkpoint(
            request.policy, dataset, request.renames, request.change, request.new_expert, settings.seed
        )
    else:
        model = {**request.model, "policy": {**request.model.get("policy", {}), **request.change}}
        checkpoint = from_scratch(dataset, model, settings.seed, request.renames)
    cameras = camera_names(checkpoint, dataset, request.renames)
    samples: Samples = DatasetSamples(dataset, cameras, checkpoint.config.chunk_size)
    if request.feature_cache:
        samples = cached_samples(checkpoint, dataset, cameras, settings, Path(request.feature_cache), request.device)
    rows, held_out = split_episodes(dataset, settings.validation_share, settings.seed)
    embodiment = Path(request.embodiment) if request.embodiment else None
    if embodiment is None and checkpoint.path and (checkpoint.path / EMBODIMENT_FILE).exists():
        embodiment = checkpoint.path / EMBODIMENT_FILE
    return Trainer(
        checkpoint,
        Subset(samples, rows),
        settings,
        output,
        Subset(samples, held_out) if len(held_out) else None,
        device=request.device,
        embodiment=embodiment,
        wandb_project=request.wandb_project,
    )


def from_the_start(settings: TrainingSettings) -> TrainingSettings:
    """Nothing of a random model is worth keeping as it is."""
    return replace(settings, train="all", freeze_vision_encoder=False, train_state_proj=True)
