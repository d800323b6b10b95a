"""`smolvla train`: a policy from demonstrations, beginning with a checkpoint or from scratch.

    smolvla train --dataset DATASET --policy CHECKPOINT --output OUTPUT
    smolvla train --dataset DATASET --config RECIPE.yaml --output OUTPUT
    smolvla train --resume --output OUTPUT

OUTPUT/checkpoints/last/pretrained_model is the newest checkpoint, best/pretrained_model the one with the least loss on
held-out episodes (--validation-share). Several GPUs: accelerate launch -m smolvla_ros.cli train ...
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

HELP = {
    "steps": "optimiser steps",
    "batch_size": "samples a step, over all processes and pieces",
    "accumulate": "pieces that a batch is divided into where memory is short",
    "learning_rate": "highest",
    "decay_learning_rate": "last",
    "warmup_steps": "of decay_steps; both are scaled to a shorter run",
    "decay_steps": "length of the cosine",
    "seed": "of order, noise and, from scratch, weights",
    "train": "expert, backbone, all or lora",
    "freeze_vision_encoder": "leave the vision encoder as it is",
    "train_state_proj": "train the state's projection",
    "lora_rank": "of the matrices of lora",
    "lora_alpha": "by how much over rank they count",
    "noise_draws": "noises and times for each sample and pass over its pictures",
    "ema_decay": "keep a moving average of the weights, and save that; 0.999 is usual",
    "dtype": "of the computation: float32, bfloat16",
    "compile": "torch.compile",
    "augment": "brightness, contrast, saturation, hue, sharpness, shift: LeRobot's image transforms",
    "validation_share": "of the episodes, held out",
    "validate_every": "steps between looks at them; at each saving by default",
    "save_every": "steps between checkpoints; at the end by default",
    "keep": "newest checkpoints that stay, besides the best",
    "log_every": "steps between points of the curves",
    "workers": "processes that read ahead",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from smolvla_ros.training.settings import TrainingSettings

    parser = commands.add_parser(
        "train",
        help="train a policy on a dataset",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in OUTPUT")
    parser.add_argument("--dataset", help="a LeRobot dataset's folder")
    parser.add_argument("--policy", default="", help="a checkpoint's folder, or its name on the hub")
    parser.add_argument("--config", type=Path, help="YAML: `model` for one from scratch, `training` for settings")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of config.json")
    parser.add_argument("--new-expert", action="store_true", help="of the policy keep the backbone alone")
    parser.add_argument("--rename", action="append", default=[], metavar="DATASET=POLICY", help="a camera's feature")
    parser.add_argument("--embodiment", default="", help="the robot's file, to be saved with each checkpoint")
    parser.add_argument("--device", default="cpu", help="cpu, cuda")
    parser.add_argument(
        "--cache-features",
        default="",
        metavar="FOLDER",
        help="find the frozen vision encoder's image tokens once for each frame, and keep them there",
    )
    parser.add_argument("--wandb", default="", metavar="PROJECT", help="curves to Weights & Biases too")
    settings = parser.add_argument_group("settings")
    for field in dataclasses.fields(TrainingSettings):
        kind: dict[str, Any] = {"type": {"int": int, "float": float, "str": str}.get(str(field.type), str)}
        if field.type == "bool":
            kind = {"action": argparse.BooleanOptionalAction}
        text = f"{HELP.get(field.name, 'as in LeRobot')} ({field.default})"
        settings.add_argument(f"--{field.name.replace('_', '-')}", default=None, help=text, **kind)
    parser.set_defaults(command=train)


def train(options: argparse.Namespace) -> int:
    from smolvla_ros.runtime.graph import ArgumentError
    from smolvla_ros.training.request import Request, begin, read_recipe, read_request
    from smolvla_ros.training.run_folder import RunFolder
    from smolvla_ros.training.settings import TrainingSettings

    names = [field.name for field in dataclasses.fields(TrainingSettings)]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.resume:
        request = read_request(options.output)
        request = dataclasses.replace(request, settings={**request.settings, **given})
    else:
        if not options.dataset or bool(options.policy) == bool(options.config and not options.policy):
            raise ArgumentError("train: expected --dataset with --policy or --config, found less; or give --resume")
        model, training = read_recipe(options.config) if options.config else ({}, {})
        request = Request(
            dataset=str(Path(options.dataset).expanduser().resolve()),
            policy=options.policy,
            model=model,
            change=_pairs(options.set, "--set"),
            new_expert=options.new_expert,
            renames={key: str(value) for key, value in _pairs(options.rename, "--rename").items()},
            embodiment=options.embodiment,
            device=options.device,
            wandb_project=options.wandb,
            feature_cache=str(Path(options.cache_features).expanduser().resolve()) if options.cache_features else "",
            settings={**training, **given},
        )
        RunFolder(options.output).require_new()
    trainer = begin(request, options.output)
    if int(os.environ.get("RANK", "0")) == 0:
        options.output.mkdir(parents=True, exist_ok=True)
        request.save(options.output)
        learn, everything = trainer.parameter_count
        print(f"{options.output}: {learn:,} of {everything:,} parameters learn", flush=True)
    last = trainer.run(resume=True)
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"checkpoint  {last / 'pretrained_model'}")
    return 0


def _pairs(words: list[str], option: str) -> dict[str, Any]:
    import yaml

    from smolvla_ros.runtime.graph import ArgumentError

    pairs = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise ArgumentError(f"{option}: expected NAME=VALUE, found '{word}'")
        pairs[name] = yaml.safe_load(value)
    return pairs
