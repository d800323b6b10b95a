"""The checkpoint that a run begins with: one that is there, with the dataset's statistics, or a new one.

Fine-tuning takes the statistics of the new dataset, as LeRobot does, so a dataset in another unit than the checkpoint's
would be learned without a word and then drive the arm wrongly: it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.embodiment_features import require_same_joints
from smolvla_ros.data.feature_statistics import vector_statistics
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, Checkpoint, load_checkpoint
from smolvla_ros.model.config import ACTION, STATE, SmolVLAConfig
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.normalization import Statistics, make_normalizer
from smolvla_ros.model.random_checkpoint import SIZES, new_checkpoint, randomise
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.training.errors import mismatch

MOST_RADIANS = 2 * torch.pi
MODEL_FIELDS = ("size", "vision", "text", "scale_factor", "policy", "relative_actions")
STATISTICS_ROWS = 4000


def from_scratch(dataset: Dataset, model: Mapping[str, Any], seed: int, renames: Mapping[str, str]) -> Checkpoint:
    """At random, for the dataset's cameras and joints, with a tokenizer that knows its tasks.

    model: `size`, one of random_checkpoint.SIZES, or `vision` and `text` (fields of the backbone's config.json) with
    `scale_factor`; `policy`, fields of config.json; `relative_actions`, see relative_of. Raises TrainingError,
    CheckpointError.
    """
    unknown = sorted(set(model) - set(MODEL_FIELDS))
    if unknown:
        raise mismatch(f"model: {unknown[0]}", f"one of {', '.join(MODEL_FIELDS)}", "no such field", "correct it")
    if model.get("size", "small") not in SIZES:
        raise mismatch("model: size", f"one of {', '.join(SIZES)}", model["size"], "correct it")
    names = dataset.info.features[ACTION].component_names if ACTION in dataset.info.features else ()
    relative, chunk = relative_of(model, names), model.get("policy", {}).get("chunk_size", SmolVLAConfig.chunk_size)
    own = {name: value for name, value in model.items() if name in ("vision", "text", "scale_factor")}
    shape = SIZES[model.get("size", "small")] | own
    sizes = {renames.get(name, name): dataset.info.features[name].shape[:2] for name in dataset.info.cameras}
    return new_checkpoint(
        shape,
        {name: (size[0], size[1]) for name, size in sizes.items()},
        statistics_of(dataset, relative, chunk),
        seed,
        model.get("policy"),
        sorted(set(dataset.tasks)),
        relative,
    )


def from_checkpoint(
    source: str,
    dataset: Dataset,
    renames: Mapping[str, str],
    policy: Mapping[str, Any] | None = None,
    new_expert: bool = False,
    seed: int = 0,
) -> Checkpoint:
    """With the dataset's statistics. policy: fields of config.json that change. new_expert: of the checkpoint only the
    backbone is kept. Raises TrainingError, CheckpointError, DatasetError.
    """
    checkpoint = load_checkpoint(source)
    require_fit(checkpoint, dataset)
    if policy or new_expert:
        checkpoint = replace(checkpoint, model=_changed(checkpoint, policy or {}, new_expert, seed))
    config = checkpoint.config
    statistics = statistics_of(dataset, checkpoint.processors.relative, config.chunk_size)
    where = str(dataset.root / "meta")
    processors = replace(
        checkpoint.processors,
        rename_map={**checkpoint.processors.rename_map, **renames},
        state=make_normalizer(config.normalization("STATE"), STATE, config.state_dim, statistics, where),
        action=make_normalizer(config.normalization("ACTION"), ACTION, config.action_dim, statistics, where),
        statistics={**checkpoint.processors.statistics, **statistics},
    )
    return replace(checkpoint, processors=processors)


def relative_of(model: Mapping[str, Any], action_names: Sequence[str]) -> RelativeActions | None:
    """What `relative_actions: {exclude_joints: [gripper]}` asks for; None without it. Raises TrainingError."""
    asked = model.get("relative_actions")
    if asked is None:
        return None
    words = asked.get("exclude_joints") if isinstance(asked, Mapping) and set(asked) == {"exclude_joints"} else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise mismatch("model: relative_actions", "{exclude_joints: [names]}", asked, "correct it")
    return RelativeActions(tuple(words), tuple(action_names))


def statistics_of(dataset: Dataset, relative: RelativeActions | None = None, chunk: int = 0) -> Statistics:
    """Of states and actions, or of the actions' offsets in chunks of `chunk`. Raises TrainingError where the dataset
    has none.
    """
    found = dict(dataset.statistics)
    for feature in (STATE, ACTION):
        if feature not in found:
            remedy = "compute them: smolvla dataset repair"
            raise mismatch(f"{dataset.root}: statistics of {feature}", "mean, std and quantiles", "none", remedy)
    if relative:
        rows = np.unique(np.linspace(0, len(dataset) - 1, STATISTICS_ROWS).astype(int))
        actions, is_pad = dataset.chunks(rows.tolist(), chunk)
        state = torch.from_numpy(dataset.column(STATE)[rows]).float()
        found[ACTION] = vector_statistics(relative.relative(torch.from_numpy(actions), state).numpy()[~is_pad])
    return {
        feature: {name: torch.from_numpy(values).float() for name, values in found[feature].items()}
        for feature in (STATE, ACTION)
    }


def camera_names(checkpoint: Checkpoint, dataset: Dataset, renames: Mapping[str, str]) -> dict[str, str]:
    """The dataset's camera -> the checkpoint's. Those that it does not know are left out; raises TrainingError where
    more than its `empty_cameras` are missing, or a rename is of no camera.
    """
    cameras = dataset.info.cameras
    for name in renames:
        if name not in cameras:
            raise mismatch(f"rename {name}", f"a camera of {dataset.root}: {', '.join(cameras)}", "none", "correct it")
    every = {**checkpoint.processors.rename_map, **renames}
    wanted = checkpoint.config.camera_features
    found = {name: every.get(name, name) for name in cameras if every.get(name, name) in wanted}
    missing = [name for name in wanted if name not in found.values()]
    if not found or len(missing) > checkpoint.config.empty_cameras:
        remedy = "rename the dataset's: --rename observation.images.top=observation.images.camera1"
        raise mismatch(f"{dataset.root}: cameras", ", ".join(wanted), ", ".join(cameras) or "none", remedy)
    return found


def require_fit(checkpoint: Checkpoint, dataset: Dataset) -> None:
    """That states and actions are as wide as the checkpoint's and in its unit. Raises TrainingError, DatasetError."""
    config, features = checkpoint.config, dataset.info.features
    for name, width in ((STATE, config.state_dim), (ACTION, config.action_dim)):
        found = features[name].shape if name in features else None
        if found != (width,):
            remedy = "take a dataset of the checkpoint's robot, or train from scratch"
            raise mismatch(f"{dataset.root}: {name}", f"{width} values", found, remedy)
    statistics = statistics_of(dataset)
    pairs = ((STATE, checkpoint.processors.state), (ACTION, checkpoint.processors.action))
    for name, normalizer in pairs:
        if normalizer.mode == "IDENTITY" or (name == ACTION and checkpoint.processors.relative):
            continue  # of offsets, which may be small, the states tell the unit
        dataset_radians = _in_radians(statistics[name]["mean"], statistics[name]["std"])
        if dataset_radians != _in_radians(*normalizer.centre_and_spread()):
            units = ("degrees or -100 to 100", "radians")
            expected, seen = units if dataset_radians else units[::-1]
            means = [round(value, 2) for value in statistics[name]["mean"].tolist()]
            remedy = "convert the dataset to the checkpoint's unit, or train from scratch"
            raise mismatch(
                f"{dataset.root}: {name}",
                f"{expected}, as the checkpoint",
                f"what looks like {seen}: means {means}",
                remedy,
            )
    saved = checkpoint.path / EMBODIMENT_FILE if checkpoint.path else None
    if saved and saved.exists() and features[STATE].units:
        require_same_joints(features, load_embodiment(saved))


def _in_radians(centre: torch.Tensor, spread: torch.Tensor) -> bool:
    return bool((centre.abs() + 2 * spread < MOST_RADIANS).all())


def _changed(checkpoint: Checkpoint, policy: Mapping[str, Any], new_expert: bool, seed: int) -> SmolVLA:
    """A model of the changed config with the checkpoint's weights."""
    config = SmolVLAConfig.from_json({**checkpoint.config.to_json(), **policy}, "config.json with the changes")
    model = SmolVLA(config, checkpoint.model.backbone)
    model.model.image_token_ids = checkpoint.model.model.image_token_ids
    randomise(model, seed)
    own, kept = model.state_dict(), checkpoint.model.state_dict()
    if new_expert:
        kept = {name: tensor for name, tensor in kept.items() if ".vlm." in name}
    strange = [n for n, t in kept.items() if n in own and own[n].shape != t.shape] + sorted(set(kept) - set(own))
    missing = [] if new_expert else sorted(set(own) - set(kept))
    if (strange or missing) and not new_expert:
        raise CheckpointError(
            "config.json with the changes: expected the checkpoint's weights to fit, found that "
            f"{(strange + missing)[0]} does not; begin with a new expert (--new-expert), or from scratch"
        )
    model.load_state_dict({**own, **{name: kept[name] for name in kept if name not in strange}}, assign=True)
    return model.eval()
