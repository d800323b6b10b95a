"""A new dataset of chosen episodes of others: merging, splitting, deleting and v2.1 to v3.0 are this.

Rows are renumbered, videos are copied without encoding again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.dataset_parts import parts_of
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import Feature
from smolvla_ros.data.info import V30, Info
from smolvla_ros.data.new_dataset import fill_dataset, require_absent
from smolvla_ros.data.whole_file import whole_folder

Choice = tuple[Dataset, Sequence[int]]
"""A dataset and the indices of some of its episodes."""


def copy_episodes(choices: Sequence[Choice], root: Path, version: str = V30) -> Info:
    """Writes the chosen episodes in order to `root`, whole or not at all.

    Raises DatasetError: `root` is there, no such episode, datasets whose features or rates differ.
    """
    require_absent(root)
    require_joinable(choices)
    with whole_folder(root) as part:
        return fill_with_episodes(part, choices, version)


def fill_with_episodes(folder: Path, choices: Sequence[Choice], version: str = V30) -> Info:
    """Writes them to an empty folder. Raises DatasetError."""
    sources = [dataset.root for dataset, _ in choices]
    return fill_dataset(folder, choices[0][0].info, _parts(choices), sources, version)


def require_joinable(choices: Sequence[Choice]) -> None:
    """Raises DatasetError: no such episode, datasets whose features or rates differ, features that are not read."""
    for dataset, indices in choices:
        _require_alike(choices[0][0], dataset)
        for index in indices:
            if not 0 <= index < len(dataset.episodes):
                raise mismatch(
                    f"{dataset.root}: episode", f"0 to {len(dataset.episodes) - 1}", index, "name one of them"
                )


def _parts(choices: Sequence[Choice]) -> Iterator[EpisodePart]:
    for dataset, indices in choices:
        yield from parts_of(dataset, indices)


def _require_alike(one: Dataset, other: Dataset) -> None:
    for name, feature in other.info.given.items():
        if not (feature.is_camera or feature.is_number or feature.dtype == "string"):
            found = f"{feature.dtype}, which is not read here"
            raise mismatch(f"{other.root}: {name}", "numbers, texts or colour pictures", found, "take the feature out")
    if one.info.fps != other.info.fps:
        raise mismatch(f"{other.root}: fps", str(one.info.fps), other.info.fps, "join datasets of one rate")
    ours, theirs = _described(one.info), _described(other.info)
    for name in {**ours, **theirs}:
        if name not in ours or name not in theirs:
            has, lacks = (one.root, other.root) if name in ours else (other.root, one.root)
            remedy = "join datasets of the same features, or give its cameras the same names: rename-cameras"
            raise mismatch(f"{lacks}: {name}", f"the feature, which {has} has", "none", remedy)
        for field in fields(Feature):
            expected, found = getattr(ours[name], field.name), getattr(theirs[name], field.name)
            if expected != found:
                remedy = "join datasets of the same shapes, names and units"
                raise mismatch(f"{other.root}: {name}.{field.name}", f"{expected} as in {one.root}", found, remedy)


def _described(info: Info) -> dict[str, Feature]:
    """Features without how their videos are encoded; names without how they are nested."""
    return {name: replace(f, info={}, names=f.component_names) for name, f in info.given.items()}
