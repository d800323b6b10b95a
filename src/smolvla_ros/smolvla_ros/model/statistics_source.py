"""Statistics that an operator names, where a checkpoint holds none for its states and actions or another dataset's.

A name is a prefix in the checkpoint's own statistics (`so100-blue` of `so100-blue.buffer.action`), a LeRobot dataset's
folder, a stats.json, or a safetensors file with keys like `action.mean`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.json_file import read_json
from smolvla_ros.model.normalization import Statistics
from smolvla_ros.model.tensor_file import read_tensors

DATASET_STATS, EPISODE_STATS = Path("meta", "stats.json"), Path("meta", "episodes_stats.jsonl")
KEPT = ("mean", "std", "min", "max", "count")
REMEDY = "name the dataset that the checkpoint was trained on"


def by_owner(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Flat keys `<feature>.<statistic>` as feature -> statistic -> values."""
    statistics: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, _, statistic = key.rpartition(".")
        statistics.setdefault(owner, {})[statistic] = value
    return statistics


def named_statistics(names: Sequence[str], held: Statistics, where: str) -> Statistics:
    """`held`, the checkpoint's own, with states' and actions' statistics from `names`: of each the first that has them.

    `where` names the checkpoint's file. Raises CheckpointError.
    """
    chosen: dict[str, Mapping[str, Tensor]] = {}
    for name in names:
        prefixed = _of_prefix(held, name)
        for feature, statistics in (prefixed or _from_files(name, held, where)).items():
            chosen.setdefault(feature, statistics)
    return {**held, **chosen}


def prefixes(held: Statistics) -> list[str]:
    """Names under which a checkpoint's own statistics hold states or actions of several datasets."""
    found = {
        owner.removesuffix(f".{feature}").removesuffix(".buffer")
        for owner in held
        for feature in (STATE, ACTION)
        if owner.endswith(f".{feature}")
    }
    return sorted(found)


def read_statistics_file(path: Path) -> Statistics:
    """Of a dataset's folder, a stats.json, an episodes_stats.jsonl or a safetensors file. Raises CheckpointError."""
    if path.is_dir():
        for inside in (DATASET_STATS, EPISODE_STATS, Path("stats.json")):
            if (path / inside).is_file():
                return read_statistics_file(path / inside)
        raise mismatch(str(path), f"{DATASET_STATS} or {EPISODE_STATS}, as LeRobot datasets have", "neither", REMEDY)
    if path.suffix == ".safetensors":
        return by_owner(read_tensors(path))
    if path.suffix == ".jsonl":
        return _over_episodes(path)
    return _tensors(read_json(path, REMEDY), str(path))


def _of_prefix(held: Statistics, prefix: str) -> Statistics:
    owners = {f"{prefix}{between}{feature}": feature for feature in (STATE, ACTION) for between in (".buffer.", ".")}
    return {feature: held[owner] for owner, feature in owners.items() if owner in held}


def _from_files(name: str, held: Statistics, where: str) -> Statistics:
    path = Path(name)
    if not path.exists():
        known = ", ".join(prefixes(held)) or "none"
        expected = f"a dataset's folder, a stats.json, or a name within {where} ({known})"
        raise mismatch(f"statistics '{name}'", expected, "none of them", REMEDY)
    found = {f: s for f, s in read_statistics_file(path).items() if f in (STATE, ACTION)}
    if not found:
        raise mismatch(str(path), f"statistics of {STATE} and {ACTION}", "neither", REMEDY)
    return found


def _over_episodes(path: Path) -> Statistics:
    """Of all episodes together: means and variances weighted by the frames counted. Quantiles cannot be joined."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        episodes = [row["stats"] for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise mismatch(str(path), "lines of {episode_index, stats}", error, REMEDY) from None
    if not episodes:
        raise mismatch(str(path), "episodes", "none", REMEDY)
    joined = {}
    for feature in (STATE, ACTION):
        parts = [_tensors(stats, f"{path}: line {n}") for n, stats in enumerate(episodes, start=1)]
        if any(feature in part for part in parts):
            joined[feature] = _joined([part.get(feature, {}) for part in parts], f"{path}: {feature}")
    return joined


def _joined(parts: Sequence[Mapping[str, Tensor]], where: str) -> dict[str, Tensor]:
    try:
        values = {name: torch.stack([part[name].double() for part in parts]) for name in KEPT}
        counts = values["count"].reshape(len(parts), 1)
        total = counts.sum()
        mean = (counts * values["mean"]).sum(0) / total
        variance = (counts * (values["std"] ** 2 + (values["mean"] - mean) ** 2)).sum(0) / total
    except (KeyError, RuntimeError) as error:
        raise mismatch(where, f"{', '.join(KEPT)} of equal width in each episode", error, REMEDY) from None
    return {
        "mean": mean.float(),
        "std": variance.sqrt().float(),
        "min": values["min"].amin(0).float(),
        "max": values["max"].amax(0).float(),
        "count": total.long()[None],
    }


def _tensors(raw: Any, where: str) -> dict[str, dict[str, Tensor]]:
    """States' and actions' statistics of a JSON object; what else it holds is not read."""
    if not isinstance(raw, Mapping):
        raise mismatch(where, "a mapping of features", raw, REMEDY)
    statistics: dict[str, dict[str, Tensor]] = {}
    for feature in (STATE, ACTION):
        if feature not in raw:
            continue
        if not isinstance(raw[feature], Mapping):
            raise mismatch(f"{where}: {feature}", "a mapping of statistics", raw[feature], REMEDY)
        for name, values in raw[feature].items():
            try:
                statistics.setdefault(feature, {})[str(name)] = torch.tensor(values)
            except (TypeError, ValueError, RuntimeError):
                raise mismatch(f"{where}: {feature}.{name}", "numbers", values, REMEDY) from None
    return statistics
