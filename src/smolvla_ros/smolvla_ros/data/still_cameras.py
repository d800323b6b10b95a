"""Where a camera may have stood still while the arm moved: most of a good dataset is not decoded.

Frames between key frames are coded as what changed. Where one took more bytes than noise does, the camera did not stand
still; of what is left, few key frames are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from smolvla_ros.data.checks import MOVED_SHARE, STILL_LEVELS, picture_change
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.features import STATE
from smolvla_ros.data.key_frames import key_pictures, places_at_intervals
from smolvla_ros.data.video_slices import VideoSlice, opened, packets

FROZEN_S = 0.5
PIXEL_STEP = 4
CHANGED_SHARE, CHANGED_BYTES = 0.03, 300
"""Of the key frame before, and at least: more than a picture like the one before takes. Of 640 x 480 with noise of up
to 10 levels x264 gives that one at most 0.018 of the key frame and 170 bytes; a simulated arm that moves takes 0.16
at the median. Where the share is too high, more pictures are looked at than need be, and nothing is missed."""


def joint_speeds(dataset: Dataset) -> np.ndarray:
    """(rows,): the fastest joint's change from a row to the next as a share of its range; 0 without a state."""
    if STATE not in dataset.columns or not len(dataset):
        return np.zeros(len(dataset))
    state = dataset.column(STATE).reshape(len(dataset), -1)
    reach = np.maximum(state.max(axis=0) - state.min(axis=0), 1e-9)
    return (np.abs(np.diff(state, axis=0, append=state[-1:])) / reach).max(axis=1)


def still_stretches(video: VideoSlice, fps: int, speeds: np.ndarray) -> tuple[int, list[tuple[int, int]]]:
    """How many of its frames the file has; of a whole one, first and last frames of stretches that hold every stand of
    FROZEN_S or more in which the arm moved. speeds (frames - 1,). Raises DatasetError.
    """
    with opened(video.path) as container:
        coded = sorted(packets(container, video, fps), key=lambda found: found[1])
        if len(coded) < video.frames:
            return len(coded), []
        quiet = _quiet(coded, round(FROZEN_S * fps), speeds)
        every = int(FROZEN_S * fps) // 2
        keys = [(number, packet) for packet, number in coded if packet.is_keyframe]
        places = places_at_intervals([number for number, _ in keys], video.frames, every) if every > 1 else None
        if places is None:
            return len(coded), quiet
        chosen = [keys[place] for place in places]
        pairs = [
            (one, other) for one, other in pairwise(chosen) if any(a <= one[0] and other[0] <= b for a, b in quiet)
        ]
        needed = {number: packet for pair in pairs for number, packet in pair}
        pictures = key_pictures(container, list(needed.values()), PIXEL_STEP)
    if pictures is None:
        return len(coded), quiet
    shown, last = dict(zip(needed, pictures, strict=True)), video.frames - 1
    stretches: list[tuple[int, int]] = []
    for (first, _), (second, _) in pairs:
        if picture_change(shown[first], shown[second]) < STILL_LEVELS:
            begin, end = max(0, first - every), min(last, second + every)
            if stretches and begin <= stretches[-1][1]:
                begin = stretches.pop()[0]
            stretches.append((begin, end))
    return len(coded), [(begin, end) for begin, end in stretches if speeds[begin:end].sum() > MOVED_SHARE]


def _quiet(coded: Sequence[tuple[Any, int]], least: int, speeds: np.ndarray) -> list[tuple[int, int]]:
    """First and last frames of stretches of `least` frames or more, after whose first nothing was coded as a change and
    in which the arm moved. coded: packets with their frames' numbers, ascending.
    """
    starts, key_bytes = [0], 0
    for packet, number in coded:
        if packet.is_keyframe:
            key_bytes = packet.size
        elif packet.size > max(CHANGED_BYTES, CHANGED_SHARE * key_bytes):
            starts.append(number)
    stretches = [(first, after - 1) for first, after in pairwise([*starts, len(coded)])]
    return [(a, b) for a, b in stretches if b + 1 - a >= least and speeds[a:b].sum() > MOVED_SHARE]
