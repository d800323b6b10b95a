"""All checks over a whole dataset: `smolvla dataset check`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from smolvla_ros.data.checks import (
    Finding,
    frame_findings,
    frozen_spans,
    jumps,
    speed_units,
    statistics_messages,
    unit_messages,
)
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.feature_statistics import joined_by_feature
from smolvla_ros.data.features import ACTION, STATE
from smolvla_ros.data.still_cameras import FROZEN_S, PIXEL_STEP, joint_speeds, still_stretches
from smolvla_ros.data.video_frames import TOLERANCE_S
from smolvla_ros.data.video_slices import frames_held


def check(dataset: Dataset, pictures: bool = True) -> Iterator[Finding]:
    """Findings, one by one. pictures: look at the videos' pictures too, to find frozen cameras."""
    speeds, units = joint_speeds(dataset), _units(dataset)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looked = [
            pool.submit(_look, dataset, episode, speeds[episode.start : episode.end - 1], pictures)
            for episode in dataset.episodes
        ]
        for episode, look in zip(dataset.episodes, looked, strict=True):
            rows = slice(episode.start, episode.end)
            columns = {name: values[rows] for name, values in dataset.columns.items()}
            for feature, message in frame_findings(columns, dataset.info.fps, TOLERANCE_S):
                yield Finding("frames", feature, message, episode.index)
            yield from _jumps(dataset, episode, units)
            yield from _statistics(dataset, episode)
            for camera, found in look.result().items():
                if isinstance(found, Finding):
                    yield found
                else:
                    yield from _frozen(dataset, episode, speeds[episode.start : episode.end - 1], camera, found)
    for name in (STATE, ACTION):
        if name in dataset.columns and len(dataset):
            for message in unit_messages(dataset.column(name), dataset.info.features[name].units):
                yield Finding("unit", name, message)
    yield from _whole_statistics(dataset)


def _look(
    dataset: Dataset, episode: Episode, speeds: np.ndarray, pictures: bool
) -> dict[str, Finding | list[tuple[int, int]]]:
    """Of each camera what its video lacks, or the frames between which it may stand still while the arm moves."""
    found: dict[str, Finding | list[tuple[int, int]]] = {}
    fps = dataset.info.fps
    for camera, video in episode.videos.items():
        try:
            held, stretches = still_stretches(video, fps, speeds) if pictures else (frames_held(video, fps), [])
        except DatasetError as error:
            found[camera] = Finding("frames", camera, str(error), episode.index, 0)
            continue
        found[camera] = stretches
        if held < episode.length:
            message = f"expected {episode.length} pictures, found {held}"
            found[camera] = Finding("frames", camera, message, episode.index, held)
    if pictures:
        found |= {camera: [(0, episode.length - 1)] for camera in dataset.info.embedded}
    return found


def _units(dataset: Dataset) -> dict[str, list[str]]:
    """Of the vectors whose speed is looked at, each component's."""
    vectors = [name for name in (STATE, ACTION) if name in dataset.columns and dataset.column(name).ndim == 2]
    return {
        name: speed_units(dataset.column(name), dataset.info.features[name].units) for name in vectors if len(dataset)
    }


def _jumps(dataset: Dataset, episode: Episode, units: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    for name, named in units.items():
        values = dataset.column(name)[episode.start : episode.end]
        for row, component, speed in jumps(values, named, dataset.info.fps)[:1]:
            joint = (*dataset.info.features[name].component_names, *map(str, range(len(named))))[component]
            message = f"{joint} moves at {speed:.0f} {named[component]} a second to frame {row}"
            yield Finding("jump", name, message, episode.index, row)


def _statistics(dataset: Dataset, episode: Episode) -> Iterator[Finding]:
    stored = dataset.episode_statistics[episode.index]
    for name in dataset.info.numbers:
        if name in stored:
            for message in statistics_messages(stored[name], dataset.columns[name][episode.start : episode.end]):
                yield Finding("statistics", name, message, episode.index)
        elif name in dataset.info.given:
            yield Finding("statistics", name, "expected statistics, found none", episode.index)


def _whole_statistics(dataset: Dataset) -> Iterator[Finding]:
    for name, joined in joined_by_feature(dataset.episode_statistics).items():
        stored = dataset.statistics.get(name, {})
        scale = np.maximum(joined["max"] - joined["min"], 1e-6)
        for key in ("min", "max", "mean", "std"):
            if key not in stored or np.shape(stored[key]) != np.shape(joined[key]):
                yield Finding("statistics", name, f"expected {key} in meta/stats.json, found {stored.get(key)}")
            elif (np.abs(stored[key] - joined[key]) / scale).max() > 1e-3:
                message = f"expected {key} {joined[key].ravel()}, that of all episodes, found {stored[key].ravel()}"
                yield Finding("statistics", name, message)


def _frozen(
    dataset: Dataset, episode: Episode, speeds: np.ndarray, camera: str, stretches: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """stretches: first and last frames between which to look at every picture."""
    for start, end in stretches:
        rows = range(episode.start + start, episode.start + end + 1)
        pictures = (dataset.image(camera, row)[::PIXEL_STEP, ::PIXEL_STEP] for row in rows)
        for first, last in frozen_spans(pictures, speeds[start:end], dataset.info.fps, FROZEN_S):
            a, b = start + first, start + last
            message = f"expected pictures that change with the arm, found one that stands from frame {a} to {b}"
            yield Finding("frozen", camera, message, episode.index, a)
