"""A video's key frames at intervals: what can be seen of it at a fraction of the cost of decoding it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def places_at_intervals(keys: Sequence[int], frames: int, every: int) -> list[int] | None:
    """Places of some of the ascending key frames' numbers, the first and the last among them, at most `every` apart.

    None where they are too far apart for that in a video of `frames`.
    """
    if not keys or keys[0] or max(np.diff([*keys, frames])) > every:
        return None
    chosen = [0]
    for place in range(1, len(keys)):
        last = place + 1 == len(keys)
        if last or keys[place + 1] - keys[chosen[-1]] > every:
            chosen.append(place)
    return chosen


def key_pictures(container: Any, packets: Sequence[Any], step: int) -> list[np.ndarray] | None:
    """Grey levels (height / step, width / step) uint8 of key frames; None where not all of them can be decoded."""
    context = container.streams.video[0].codec_context
    context.thread_count = 1
    context.options = {"skip_loop_filter": "all"}  # smooths what is not looked at this closely
    found = [_grey(frame, step) for frame in _decoded(context, packets)]
    return found if len(found) == len(packets) else None


def _decoded(context: Any, packets: Sequence[Any]) -> Iterator[Any]:
    for packet in [*packets, None]:
        yield from context.decode(packet)


def _grey(frame: Any, step: int) -> np.ndarray:
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        return np.ascontiguousarray(frame.to_ndarray(format="gray")[::step, ::step])
    plane = frame.planes[0]  # is the grey picture, without a conversion of all of it
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height : step, : frame.width : step])
