"""policy_preprocessor.json and policy_postprocessor.json: camera renames, tokenizer settings, statistics.

The files list steps; each step may name a safetensors file with its state. Step order and file names follow the json.
A checkpoint of before LeRobot 0.4 has neither file: its statistics were among the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smolvla_ros.model.config import ACTION, STATE, SmolVLAConfig
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.json_file import read_json, write_json
from smolvla_ros.model.normalization import EPSILON, Normalizer, Statistics, make_normalizer
from smolvla_ros.model.relative_actions import FIRST, LAST, RelativeActions
from smolvla_ros.model.statistics_source import by_owner, named_statistics
from smolvla_ros.model.tensor_file import read_tensors, write_tensors

PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor", "policy_postprocessor"
NORMALIZER, UNNORMALIZER = "normalizer_processor", "unnormalizer_processor"
RENAME, NEW_LINE, TOKENIZER = "rename_observations_processor", "smolvla_new_line_processor", "tokenizer_processor"
WITHOUT_EFFECT = ("to_batch_processor", "device_processor")
REMEDY = "use the processor files saved with the weights (LeRobot 0.4 or newer writes them)"


@dataclass(frozen=True)
class Processors:
    """rename_map: a robot's camera feature -> the checkpoint's. statistics: all of the file, kept for saving.

    relative: what makes actions offsets from the state before they are normalised; None where they are absolute.
    """

    rename_map: Mapping[str, str]
    newline: bool
    max_length: int
    state: Normalizer
    action: Normalizer
    statistics: Statistics
    relative: RelativeActions | None = None

    def actions_to_model(self, actions: Tensor, state: Tensor) -> Tensor:
        """Actions (..., rows, joints), asked for in state (..., joints), both in the robot's units."""
        return self.action.forward(self.relative.relative(actions, state) if self.relative else actions)

    def actions_from_model(self, values: Tensor, state: Tensor) -> Tensor:
        """The way back; state in the robot's units."""
        actions = self.action.inverse(values)
        return self.relative.absolute(actions, state) if self.relative else actions


@dataclass(frozen=True)
class ProcessorFiles:
    """Both files as read, before their statistics are looked at. `where`: the file to name, of states and of actions.

    held: feature -> statistics of that feature's file.
    """

    rename_map: Mapping[str, str]
    newline: bool
    max_length: int
    settings: Mapping[str, tuple[str, float]]
    where: Mapping[str, str]
    held: Mapping[str, Statistics]
    relative: RelativeActions | None = None

    def normalizer(
        self, feature: str, config: SmolVLAConfig, names: Sequence[str] = ()
    ) -> tuple[Normalizer, Statistics]:
        """Of STATE or ACTION, and the statistics that it was taken from. Raises CheckpointError."""
        mode, epsilon = self.settings[feature]
        statistics, where = self.held[feature], self.where[feature]
        if names:
            both = {**self.held[ACTION], **self.held[STATE]}
            statistics = named_statistics(names, both, where)
        width = config.state_dim if feature == STATE else config.action_dim
        return make_normalizer(mode, feature, width, statistics, where, epsilon), statistics


def read_processors(
    folder: Path, config: SmolVLAConfig, in_weights: Statistics | None = None, names: Sequence[str] = ()
) -> Processors:
    """Raises CheckpointError where a file, a step or the statistics of state or action are missing or wrong.

    in_weights: statistics found among the weights, taken where there are no files. names: statistics to take instead
    of the checkpoint's own (see statistics_source).
    """
    files = read_processor_files(folder, config, in_weights)
    state, statistics = files.normalizer(STATE, config, names)
    action, others = files.normalizer(ACTION, config, names)
    every = {**others, **statistics}
    return Processors(files.rename_map, files.newline, files.max_length, state, action, every, files.relative)


def read_processor_files(folder: Path, config: SmolVLAConfig, in_weights: Statistics | None = None) -> ProcessorFiles:
    """Raises CheckpointError where a file is missing or has a step that is not known here."""
    if config.normalization("VISUAL") != "IDENTITY":
        found = config.normalization("VISUAL")
        raise mismatch(f"{folder / 'config.json'}: normalization_mapping.VISUAL", "IDENTITY", found, "correct it")
    if not has_processor_files(folder):
        return _without_files(folder, config, in_weights or {})
    pre_path, post_path = folder / f"{PREPROCESSOR}.json", folder / f"{POSTPROCESSOR}.json"
    pre = _steps(pre_path, (RENAME, FIRST, NEW_LINE, TOKENIZER, NORMALIZER))
    post = _steps(post_path, (UNNORMALIZER, LAST))
    state, where_state, held_state = _normalizer_step(pre_path, pre, NORMALIZER, config, "STATE")
    action, where_action, held_action = _normalizer_step(post_path, post, UNNORMALIZER, config, "ACTION")
    return ProcessorFiles(
        rename_map=_rename_map(pre_path, pre),
        newline=NEW_LINE in pre,
        max_length=_max_length(pre_path, pre, config.tokenizer_max_length),
        settings={STATE: state, ACTION: action},
        where={STATE: where_state, ACTION: where_action},
        held={STATE: held_state, ACTION: held_action},
        relative=_relative(pre_path, pre, post_path, post),
    )


def has_processor_files(folder: Path) -> bool:
    return any((folder / f"{name}.json").exists() for name in (PREPROCESSOR, POSTPROCESSOR))


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
        *([(FIRST, processors.relative.to_json())] if processors.relative else []),
        *([(NEW_LINE, {})] if processors.newline else []),
        (TOKENIZER, tokenizer),
        ("device_processor", device),
        (NORMALIZER, {"eps": processors.state.epsilon, "features": features, "norm_map": norm_map}),
    ]
    post: list[tuple[str, dict[str, Any]]] = [
        (UNNORMALIZER, {"eps": processors.action.epsilon, "features": outputs, "norm_map": norm_map}),
        *([(LAST, {"enabled": True})] if processors.relative else []),
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
                write_tensors(folder / entry["state_file"], tensors)
            entries.append(entry)
        write_json(folder / f"{file}.json", {"name": file, "steps": entries})


@dataclass(frozen=True)
class _Step:
    """One step of a file: its settings and the name of its state file, None where it has none."""

    settings: Mapping[str, Any]
    state_file: str | None


def _steps(path: Path, known: tuple[str, ...]) -> dict[str, _Step]:
    """The file's steps by name; an unknown one could change the numbers, so it is refused."""
    steps = read_json(path, REMEDY).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise mismatch(f"{path}: steps", "a list of steps", steps, REMEDY)
    by_name = {}
    for step in steps:
        name, settings, state_file = step.get("registry_name"), step.get("config"), step.get("state_file")
        if name not in known + WITHOUT_EFFECT:
            found = name or step.get("class")
            raise mismatch(f"{path}: steps", "steps among " + ", ".join(known + WITHOUT_EFFECT), found, REMEDY)
        if settings is not None and not isinstance(settings, Mapping):
            raise mismatch(f"{path}: {name}.config", "a mapping", settings, REMEDY)
        if state_file is not None and (not isinstance(state_file, str) or Path(state_file).name != state_file):
            raise mismatch(f"{path}: {name}.state_file", "a file name in the checkpoint's folder", state_file, REMEDY)
        by_name[name] = _Step(settings or {}, state_file)
    return by_name


def _rename_map(path: Path, steps: Mapping[str, _Step]) -> dict[str, str]:
    renames = steps[RENAME].settings.get("rename_map") if RENAME in steps else None
    texts = isinstance(renames, Mapping) and all(isinstance(text, str) for pair in renames.items() for text in pair)
    if renames is not None and not texts:
        raise mismatch(f"{path}: rename_map", "a mapping of names", renames, REMEDY)
    return dict(renames or {})


def _max_length(path: Path, steps: Mapping[str, _Step], default: int) -> int:
    value = steps[TOKENIZER].settings.get("max_length", default) if TOKENIZER in steps else default
    if not isinstance(value, int) or value < 1:
        raise mismatch(f"{path}: max_length", "a whole number above 0", value, REMEDY)
    return value


def _normalizer_step(
    path: Path, steps: Mapping[str, _Step], name: str, config: SmolVLAConfig, kind: str
) -> tuple[tuple[str, float], str, Statistics]:
    """(mode, epsilon), the file with the statistics, and all statistics of that file."""
    step = steps.get(name)
    if step is None:
        raise mismatch(f"{path}: steps", f"a {name}", "none", REMEDY)
    norm_map, epsilon = step.settings.get("norm_map"), step.settings.get("eps", EPSILON)
    if norm_map is not None and not isinstance(norm_map, Mapping):
        raise mismatch(f"{path}: {name}.norm_map", "a mapping", norm_map, REMEDY)
    if not isinstance(epsilon, float) or not 0 <= epsilon < 1:
        raise mismatch(f"{path}: {name}.eps", "a number from 0 to 1", epsilon, REMEDY)
    mode = (norm_map or {}).get(kind, config.normalization(kind))
    if step.state_file is None:
        return (mode, epsilon), str(path), {}
    where = path.parent / step.state_file
    return (mode, epsilon), str(where), by_owner(read_tensors(where))


def _relative(
    pre_path: Path, pre: Mapping[str, _Step], post_path: Path, post: Mapping[str, _Step]
) -> RelativeActions | None:
    """What both files' steps say together: actions are made relative on the way in and absolute on the way out."""
    there = {
        path: name in steps and steps[name].settings.get("enabled", False) is True
        for path, name, steps in ((pre_path, FIRST, pre), (post_path, LAST, post))
    }
    if not any(there.values()):
        return None
    missing = [(path, name) for (path, on), name in zip(there.items(), (FIRST, LAST), strict=True) if not on]
    if missing:
        raise mismatch(f"{missing[0][0]}: steps", f"{missing[0][1]}, enabled as its pair is", "none", REMEDY)
    lists = {name: pre[FIRST].settings.get(name) or [] for name in ("exclude_joints", "action_names")}
    for name, words in lists.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise mismatch(f"{pre_path}: {FIRST}.{name}", "a list of names", words, REMEDY)
    return RelativeActions(tuple(lists["exclude_joints"]), tuple(lists["action_names"]))


def _without_files(folder: Path, config: SmolVLAConfig, in_weights: Statistics) -> ProcessorFiles:
    """As LeRobot did before it wrote the files: no renames, a newline after each instruction."""
    where = f"{folder / f'{PREPROCESSOR}.json'} (none) and statistics among the weights"
    return ProcessorFiles(
        rename_map={},
        newline=True,
        max_length=config.tokenizer_max_length,
        settings={STATE: (config.normalization("STATE"), EPSILON), ACTION: (config.normalization("ACTION"), EPSILON)},
        where={STATE: where, ACTION: where},
        held={STATE: in_weights, ACTION: in_weights},
    )
