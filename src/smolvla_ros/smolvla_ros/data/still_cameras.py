"""Where a camera may have stood still while the arm moved, from few pictures: most of a good dataset is not decoded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from smolvla_ros.data.checks import MOVED_SHARE, STILL_LEVELS, picture_change
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.features import STATE
from smolvla_ros.data.key_frames import key_frames
from smolvla_ros.data.video_slices import VideoSlice

FROZEN_S = 0.5
PIXEL_STEP = 4


def joint_speeds(dataset: Dataset, episode: Episode) -> np.ndarray:
    """(frames - 1,): the fastest joint's change from frame to frame as a share of its range in the dataset.

    0 where the dataset has no state.
    """
    if STATE not in dataset.columns:
        return np.zeros(episode.length - 1)
    state = dataset.column(STATE).reshape(len(dataset), -1)
    reach = np.maximum(state.max(axis=0) - state.min(axis=0), 1e-9)
    return (np.abs(np.diff(state[episode.start : episode.end], axis=0)) / reach).max(axis=1)


def still_stretches(video: VideoSlice, fps: int, speeds: np.ndarray) -> list[tuple[int, int]]:
    """First and last frames of stretches that hold every stand of FROZEN_S or more. Of two key frames within each such
    stand the pictures are alike; the whole video where its key frames are too far apart. Raises DatasetError.
    """
    last = video.frames - 1
    every = int(FROZEN_S * fps) // 2
    found = key_frames(video, fps, every, PIXEL_STEP) if every > 1 else None
    if found is None:
        return [(0, last)] if speeds.sum() > MOVED_SHARE else []
    stretches: list[tuple[int, int]] = []
    for (first, before), (second, after) in pairwise(found):
        if picture_change(before, after) < STILL_LEVELS:
            begin, end = max(0, first - every), min(last, second + every)
            if stretches and begin <= stretches[-1][1]:
                begin = stretches.pop()[0]
            stretches.append((begin, end))
    return [(begin, end) for begin, end in stretches if speeds[begin:end].sum() > MOVED_SHARE]
