"""A stretch of an episode's video: copied where it begins and ends at key frames, encoded again where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from smolvla_ros.data.features import Feature
from smolvla_ros.data.video_encoder import CODECS, encode_video
from smolvla_ros.data.video_frames import VideoFrames
from smolvla_ros.data.video_slices import VideoSlice, opened, packets


def clean_cuts(video: VideoSlice, fps: int) -> list[int]:
    """Frames, and the number of frames, between which a copied stretch needs no picture outside of it.

    That is at key frames before which every earlier picture has been sent.
    """
    found, before = [], 0
    with opened(video.path) as container:
        for sent, (packet, number) in enumerate(packets(container, video, fps)):
            if packet.is_keyframe and number == sent == before:
                found.append(number)
            before = max(before, number + 1)
    return [*found, video.frames]


def cut(video: VideoSlice, first: int, end: int, feature: Feature, fps: int, folder: Path) -> VideoSlice:
    """Frames first to end - 1 exactly. What must be encoded again lies in `folder`. Raises DatasetError."""
    part = VideoSlice(video.path, video.start_s + first / fps, end - first)
    cuts = clean_cuts(video, fps)
    if first in cuts and end in cuts:
        return part
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.iterdir())):06d}.mp4"
    codec = CODECS.get(str(feature.info.get("video.codec")), CODECS["h264"])
    encode_video(path, _pictures(part, fps), feature.shape, fps, codec)
    return VideoSlice(path, 0.0, end - first)


def _pictures(part: VideoSlice, fps: int) -> Iterator[np.ndarray]:
    frames = VideoFrames()
    for number in range(part.frames):
        yield frames.read(part.path, [part.start_s + number / fps])[0]
