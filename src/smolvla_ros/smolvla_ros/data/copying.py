"""A new dataset of chosen episodes of others: merging, splitting, deleting and v2.1 to v3.0 are this.

Rows are renumbered, videos are copied without encoding again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from smolvla_ros.data.commit import append, read_notes
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import QUANTILES, ImageStatistics, Statistics, sampled_frames
from smolvla_ros.data.features import INDEX_FEATURES, Feature
from smolvla_ros.data.info import Info, write_info
from smolvla_ros.data.whole_file import whole_folder

Choice = tuple[Dataset, Sequence[int]]
"""A dataset and the indices of some of its episodes."""


def copy_episodes(choices: Sequence[Choice], root: Path) -> Info:
    """Writes the chosen episodes in order to `root`, v3.0, whole or not at all.

    Raises DatasetError: `root` is there, datasets whose features or rates differ, pictures in the rows.
    """
    if root.exists():
        raise mismatch(root, "a folder that is not there", "one that is", "name another")
    for dataset, indices in choices:
        _require_alike(choices[0][0], dataset)
        for index in indices:
            if not 0 <= index < len(dataset.episodes):
                raise mismatch(
                    f"{dataset.root}: episode", f"0 to {len(dataset.episodes) - 1}", index, "name one of them"
                )
    first = choices[0][0].info
    empty = Info(
        fps=first.fps,
        features={**first.given, **INDEX_FEATURES},
        robot_type=first.robot_type,
        video_path=Info.video_path if first.videos else None,
    )
    with whole_folder(root) as part:
        write_info(part, empty)
        return append(part, _parts(choices))


def part_of(dataset: Dataset, index: int) -> EpisodePart:
    """One of its episodes. Statistics of its pictures are the dataset's own; without quantiles they are made anew."""
    episode = dataset.episodes[index]
    rows = slice(episode.start, episode.end)
    given = [name for name in dataset.info.given if name in dataset.columns]
    return EpisodePart(
        tasks=[dataset.tasks[i] for i in dataset.columns["task_index"][rows]],
        columns={name: dataset.columns[name][rows] for name in given},
        videos=episode.videos,
        image_statistics={camera: _image_statistics(dataset, index, camera) for camera in dataset.info.videos},
        notes={k: v for k, v in read_notes(dataset.root, dataset.info)[index].items() if k != "episode_index"},
    )


def _parts(choices: Sequence[Choice]) -> Iterator[EpisodePart]:
    for dataset, indices in choices:
        for index in indices:
            yield part_of(dataset, index)


def _image_statistics(dataset: Dataset, index: int, camera: str) -> Statistics:
    held = dataset.episode_statistics[index].get(camera, {})
    if all(name in held for name in ("min", "max", "mean", "std", "count", *QUANTILES)):
        return held
    episode, made = dataset.episodes[index], ImageStatistics()
    for frame in sampled_frames(episode.length):
        made.add(dataset.image(camera, episode.start + frame))
    return made.result()


def _require_alike(one: Dataset, other: Dataset) -> None:
    if one.info.embedded or other.info.embedded:
        found = f"pictures in the rows of {[*one.info.embedded, *other.info.embedded]}"
        raise mismatch(other.root, "cameras kept as video", found, "record such datasets as video")
    if one.info.fps != other.info.fps:
        raise mismatch(f"{other.root}: fps", str(one.info.fps), other.info.fps, "join datasets of one rate")
    ours, theirs = _described(one.info), _described(other.info)
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            remedy = "join datasets of the same features and units"
            raise mismatch(f"{other.root}: {name}", str(ours.get(name)), theirs.get(name), remedy)


def _described(info: Info) -> dict[str, Feature]:
    """Features without how their videos are encoded."""
    return {name: replace(feature, info={}) for name, feature in info.given.items()}
