"""policy_preprocessor.json and policy_postprocessor.json: camera renames, tokenizer settings, statistics.

The files list steps; each step may name a safetensors file with its state. Step order and file names follow the json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from smolvla_ros.model.config import ACTION, STATE, SmolVLAConfig
from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.json_file import read_json, write_json
from smolvla_ros.model.normalization import EPSILON, Normalizer, Statistics, make_normalizer
from smolvla_ros.model.weights import read_tensors

PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor", "policy_postprocessor"
NORMALIZER, UNNORMALIZER = "normalizer_processor", "unnormalizer_processor"
RENAME, NEW_LINE, TOKENIZER = "rename_observations_processor", "smolvla_new_line_processor", "tokenizer_processor"
WITHOUT_EFFECT = ("to_batch_processor", "device_processor")
REMEDY = "use the processor files saved with the weights (LeRobot 0.4 or newer writes them)"


@dataclass(frozen=True)
class Processors:
    """rename_map: a robot's camera feature -> the checkpoint's. statistics: all of the file, kept for saving."""

    rename_map: Mapping[str, str]
    newline: bool
    max_length: int
    state: Normalizer
    action: Normalizer
    statistics: Statistics


def read_processors(folder: Path, config: SmolVLAConfig) -> Processors:
    """Raises CheckpointError where a file, a step or the statistics of state or action are missing or wrong."""
    pre = _steps(folder / f"{PREPROCESSOR}.json", (RENAME, NEW_LINE, TOKENIZER, NORMALIZER))
    post = _steps(folder / f"{POSTPROCESSOR}.json", (UNNORMALIZER,))
    if config.normalization("VISUAL") != "IDENTITY":
        found = config.normalization("VISUAL")
        raise mismatch(f"{folder / 'config.json'}: normalization_mapping.VISUAL", "IDENTITY", found, "correct it")
    state, statistics = _normalizer(folder, PREPROCESSOR, pre, NORMALIZER, config, STATE)
    action, _ = _normalizer(folder, POSTPROCESSOR, post, UNNORMALIZER, config, ACTION)
    return Processors(
        rename_map=dict(pre.get(RENAME, {}).get("config", {}).get("rename_map") or {}),
        newline=NEW_LINE in pre,
        max_length=int(pre.get(TOKENIZER, {}).get("config", {}).get("max_length", config.tokenizer_max_length)),
        state=state,
        action=action,
        statistics=statistics,
    )


def write_processors(folder: Path, processors: Processors, config: SmolVLAConfig) -> None:
    """The files as LeRobot writes them."""
    features = {
        f.name: {"type": f.type, "shape": list(f.shape)} for f in config.input_features + config.output_features
    }
    outputs = {f.name: features[f.name] for f in config.output_features}
    norm_map = dict(config.normalization_mapping)
    tokenizer = {
        "max_length": processors.max_length,
        "task_key": "task",
        "padding_side": "right",
        "padding": config.raw.get("pad_language_to", "longest"),
        "truncation": True,
        "tokenizer_name": config.vlm_model_name,
    }
    device = {"device": "cpu", "float_dtype": None}
    pre: list[tuple[str, dict[str, Any]]] = [
        (RENAME, {"rename_map": dict(processors.rename_map)}),
        ("to_batch_processor", {}),
        *([(NEW_LINE, {})] if processors.newline else []),
        (TOKENIZER, tokenizer),
        ("device_processor", device),
        (NORMALIZER, {"eps": processors.state.epsilon, "features": features, "norm_map": norm_map}),
    ]
    post: list[tuple[str, dict[str, Any]]] = [
        (UNNORMALIZER, {"eps": processors.action.epsilon, "features": outputs, "norm_map": norm_map}),
        ("device_processor", device),
    ]
    tensors = {
        f"{feature}.{name}": value.clone(memory_format=torch.contiguous_format)
        for feature, stats in processors.statistics.items()
        for name, value in stats.items()
    }
    for file, steps in ((PREPROCESSOR, pre), (POSTPROCESSOR, post)):
        entries = []
        for index, (name, settings) in enumerate(steps):
            entry: dict[str, Any] = {"registry_name": name, "config": settings}
            if name in (NORMALIZER, UNNORMALIZER):
                entry["state_file"] = f"{file}_step_{index}_{name}.safetensors"
                save_file(tensors, folder / entry["state_file"])
            entries.append(entry)
        write_json(folder / f"{file}.json", {"name": file, "steps": entries})


def _steps(path: Path, known: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    """The file's steps by name; an unknown one could change the numbers, so it is refused."""
    steps = read_json(path, REMEDY).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise mismatch(f"{path}: steps", "a list of steps", steps, REMEDY)
    by_name = {}
    for step in steps:
        name = step.get("registry_name")
        if name not in known + WITHOUT_EFFECT:
            found = name or step.get("class")
            raise mismatch(f"{path}: steps", "steps among " + ", ".join(known + WITHOUT_EFFECT), found, REMEDY)
        by_name[str(name)] = step
    return by_name


def _normalizer(
    folder: Path, file: str, steps: Mapping[str, Mapping[str, Any]], name: str, config: SmolVLAConfig, feature: str
) -> tuple[Normalizer, Statistics]:
    step = steps.get(name)
    if step is None:
        raise mismatch(f"{folder / file}.json: steps", f"a {name}", "none", REMEDY)
    settings = step.get("config") or {}
    kind = "STATE" if feature == STATE else "ACTION"
    mode = (settings.get("norm_map") or {}).get(kind, config.normalization(kind))
    width = config.state_dim if feature == STATE else config.action_dim
    state_file = step.get("state_file")
    statistics: dict[str, dict[str, Any]] = {}
    path = folder / f"{file}.json"
    if state_file is not None:
        if not isinstance(state_file, str) or Path(state_file).name != state_file:
            raise mismatch(f"{path}: state_file", "a file name in the checkpoint's folder", state_file, REMEDY)
        path = folder / state_file
        for key, value in read_tensors(path).items():
            owner, _, statistic = key.rpartition(".")
            statistics.setdefault(owner, {})[statistic] = value
    epsilon = settings.get("eps", EPSILON)
    if not isinstance(epsilon, float) or not 0 <= epsilon < 1:
        raise CheckpointError(f"{folder / file}.json: eps: expected a small number, found {epsilon!r}; {REMEDY}")
    return make_normalizer(mode, feature, width, statistics, str(path), epsilon), statistics
