"""Episodes of a dataset on their way into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smolvla_ros.data.commit import read_notes
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.feature_statistics import QUANTILES, ImageStatistics, Statistics, sampled_frames

COMPLETE = ("min", "max", "mean", "std", "count", *QUANTILES)


def parts_of(dataset: Dataset, places: Sequence[int], anew: bool = False) -> Iterator[EpisodePart]:
    """The episodes at these places of `dataset.episodes`, in this order."""
    for place in places:
        yield part_of(dataset, place, anew)


def part_of(dataset: Dataset, place: int, anew: bool = False) -> EpisodePart:
    """Statistics of its pictures are the dataset's own; without quantiles, or `anew`, they are made of the pictures."""
    episode = dataset.episodes[place]
    rows = slice(episode.start, episode.end)
    columns = {name: dataset.columns[name][rows] for name in dataset.info.given if name in dataset.columns}
    columns |= {name: dataset.stored_images(name, range(rows.start, rows.stop)) for name in dataset.info.embedded}
    held = {} if anew else dataset.episode_statistics[place]
    notes = {note["episode_index"]: note for note in read_notes(dataset.root, dataset.info)}.get(episode.index, {})
    return EpisodePart(
        tasks=[dataset.tasks[i] for i in dataset.columns["task_index"][rows]],
        columns=columns,
        videos=episode.videos,
        image_statistics={
            camera: held[camera]
            if all(name in held.get(camera, {}) for name in COMPLETE)
            else picture_statistics(dataset, camera, episode.start, episode.end)
            for camera in dataset.info.cameras
        },
        notes={name: value for name, value in notes.items() if name != "episode_index"},
    )


def picture_statistics(dataset: Dataset, camera: str, start: int, end: int) -> Statistics:
    """Of the pictures of these rows, of as many as LeRobot takes."""
    made = ImageStatistics()
    for frame in sampled_frames(end - start):
        made.add(dataset.image(camera, start + frame))
    return made.result()
