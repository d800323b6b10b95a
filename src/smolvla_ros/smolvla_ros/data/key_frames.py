"""A video's key frames at intervals: what can be seen of it at a fraction of the cost of decoding it all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from smolvla_ros.data.video_slices import VideoSlice, opened, packets


def key_frames(video: VideoSlice, fps: int, every: int, step: int) -> list[tuple[int, np.ndarray]] | None:
    """(frame, grey levels (height / step, width / step) uint8) of the first, the last key frame and some between.

    At most `every` frames lie between two of them; None where key frames are too far apart for that.
    """
    with opened(video.path) as container:
        context = container.streams.video[0].codec_context
        context.thread_count = 1
        context.options = {"skip_loop_filter": "all"}  # smooths what is not looked at this closely
        keys = [(number, packet) for packet, number in packets(container, video, fps) if packet.is_keyframe]
        numbers = [number for number, _ in keys]
        if not keys or numbers[0] or max(np.diff([*numbers, video.frames])) > every:
            return None
        chosen = _at_intervals(numbers, every)
        found = [_grey(frame, step) for frame in _decoded(context, [keys[place][1] for place in chosen])]
    if len(found) != len(chosen):
        return None
    return [(numbers[place], picture) for place, picture in zip(chosen, found, strict=True)]


def _at_intervals(numbers: list[int], every: int) -> list[int]:
    """Places of some of the ascending numbers, the first and the last among them, at most `every` apart."""
    chosen = [0]
    for place in range(1, len(numbers)):
        last = place + 1 == len(numbers)
        if last or numbers[place + 1] - numbers[chosen[-1]] > every:
            chosen.append(place)
    return chosen


def _decoded(context: Any, chosen: list[Any]) -> Iterator[Any]:
    for packet in [*chosen, None]:
        yield from context.decode(packet)


def _grey(frame: Any, step: int) -> np.ndarray:
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        return np.ascontiguousarray(frame.to_ndarray(format="gray")[::step, ::step])
    plane = frame.planes[0]  # is the grey picture, without a conversion of all of it
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height : step, : frame.width : step])
