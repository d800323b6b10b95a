"""All checks over a whole dataset.

    python -m smolvla_ros.data.dataset_check ROOT [--no-pictures]

Prints what is wrong, a line each, and ends with 1 where anything is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from smolvla_ros.data.checks import (
    Finding,
    frame_findings,
    frozen_spans,
    jumps,
    picture_change,
    statistics_messages,
    unit_messages,
)
from smolvla_ros.data.dataset import Dataset, open_dataset
from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.feature_statistics import joined_by_feature
from smolvla_ros.data.features import ACTION, STATE
from smolvla_ros.data.video_frames import TOLERANCE_S
from smolvla_ros.data.video_slices import frames_held

FROZEN_S = 0.5
PIXEL_STEP = 4


def check(dataset: Dataset, pictures: bool = True) -> Iterator[Finding]:
    """Findings, one by one. pictures: decode all videos too, to find frozen cameras."""
    for episode in dataset.episodes:
        rows = slice(episode.start, episode.end)
        columns = {name: values[rows] for name, values in dataset.columns.items()}
        for feature, message in frame_findings(columns, dataset.info.fps, TOLERANCE_S):
            yield Finding("frames", feature, message, episode.index)
        whole = True
        for camera, video in episode.videos.items():
            try:
                held = frames_held(video, dataset.info.fps)
            except DatasetError as error:
                held, whole = -1, False
                yield Finding("frames", camera, str(error), episode.index)
            if 0 <= held < episode.length:
                whole = False
                yield Finding("frames", camera, f"expected {episode.length} pictures, found {held}", episode.index)
        yield from _jumps(dataset, episode)
        yield from _statistics(dataset, episode)
        if pictures and whole:
            yield from _frozen(dataset, episode)
    for name in (STATE, ACTION):
        if name in dataset.columns and len(dataset):
            for message in unit_messages(dataset.column(name), dataset.info.features[name].units):
                yield Finding("unit", name, message)
    yield from _whole_statistics(dataset)


def _jumps(dataset: Dataset, episode: Episode) -> Iterator[Finding]:
    for name in (STATE, ACTION):
        units = dataset.info.features[name].units if name in dataset.columns else None
        if units:
            values = dataset.column(name)[episode.start : episode.end]
            for row, component, speed in jumps(values, units, dataset.info.fps)[:1]:
                joint = (*dataset.info.features[name].component_names, *map(str, range(len(units))))[component]
                message = f"{joint} moves at {speed:.0f} {units[component]} a second to frame {row}"
                yield Finding("jump", name, message, episode.index)


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


def _frozen(dataset: Dataset, episode: Episode) -> Iterator[Finding]:
    if STATE not in dataset.columns or episode.length < 2:
        return
    state = dataset.column(STATE)
    reach = np.maximum(state.max(axis=0) - state.min(axis=0), 1e-9)
    speeds = (np.abs(np.diff(state[episode.start : episode.end], axis=0)) / reach).max(axis=1)
    for camera in dataset.info.cameras:
        differences, before = [], None
        for row in range(episode.start, episode.end):
            picture = dataset.image(camera, row)[::PIXEL_STEP, ::PIXEL_STEP]
            if before is not None:
                differences.append(picture_change(before, picture))
            before = picture
        for first, last in frozen_spans(np.array(differences), speeds, dataset.info.fps, FROZEN_S):
            message = f"expected pictures that change with the arm, found one that stands from frame {first} to {last}"
            yield Finding("frozen", camera, message, episode.index)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--no-pictures", action="store_true", help="leave frozen cameras out: much faster")
    options = parser.parse_args(argv)
    try:
        dataset = open_dataset(options.root)
        findings = 0
        for finding in check(dataset, pictures=not options.no_pictures):
            findings += 1
            print(finding)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(dataset.episodes)} episodes, {len(dataset)} frames: {findings or 'no'} findings")
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
