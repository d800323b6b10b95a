"""An episode's stretch of a video file, and a new file of several of them, copied without encoding again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.whole_file import whole_file

DAMAGED = "fetch it again, or leave this episode out"


@dataclass(frozen=True)
class VideoSlice:
    """`frames` frames of a file from `start_s` on, in seconds of the file's time."""

    path: Path
    start_s: float
    frames: int

    def size_bytes(self, fps: int) -> int:
        """About, by its share of the file's length."""
        with opened(self.path) as container:
            stream = container.streams.video[0]
            seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
        share = min(1.0, self.frames / fps / seconds) if seconds else 1.0
        return int(self.path.stat().st_size * share)


def opened(path: Path) -> Any:
    """The container. Raises DatasetError where it is no video."""
    try:
        container = av.open(str(path))
    except (OSError, av.error.FFmpegError) as error:
        raise mismatch(path, "a video", error, DAMAGED) from None
    if not container.streams.video:
        container.close()
        raise mismatch(path, "a video stream", "none", DAMAGED)
    return container


def frames_held(part: VideoSlice, fps: int) -> int:
    """How many of its frames the file has. Raises DatasetError."""
    with opened(part.path) as container:
        return sum(1 for _ in packets(container, part, fps))


def alike(one: Path, other: Path) -> bool:
    """Whether one stream can go on where the other ends."""
    with opened(one) as first, opened(other) as second:
        ours, theirs = first.streams.video[0].codec_context, second.streams.video[0].codec_context
        return all(getattr(ours, name) == getattr(theirs, name) for name in ("name", "width", "height", "extradata"))


def join(path: Path, parts: Sequence[VideoSlice], fps: int) -> None:
    """One file of all, in order, each frame at its number / fps.

    Raises DatasetError: a part has not all its frames, or does not begin with a key frame.
    """
    with (
        whole_file(path) as target,
        opened(parts[0].path) as template,
        av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(template.streams.video[0], opaque=True)
        stream.time_base = template.streams.video[0].time_base
        frames = 0
        for part in parts:
            with opened(part.path) as container:
                copied = 0
                for packet, number in packets(container, part, fps):
                    if copied == 0 and not packet.is_keyframe:
                        remedy = "encode the episode again"
                        raise mismatch(f"{part.path} at {part.start_s:g} s", "a key frame", "none", remedy)
                    _move(packet, stream, Fraction(frames + number, fps))
                    out.mux(packet)
                    copied += 1
            if copied != part.frames:
                where = f"{part.path} from {part.start_s:g} s"
                raise mismatch(where, f"{part.frames} frames at {fps} a second", copied, DAMAGED)
            frames += part.frames


def _move(packet: Any, stream: Any, at_s: Fraction) -> None:
    """Puts a packet of another file into `stream`, shown at `at_s`."""
    base, delay = packet.time_base, packet.pts - packet.dts
    packet.stream = stream
    packet.time_base = stream.time_base
    packet.pts = round(at_s / stream.time_base)
    packet.dts = packet.pts - round(delay * base / stream.time_base)


def packets(container: Any, part: VideoSlice, fps: int) -> Iterator[tuple[Any, int]]:
    """Packets of the part in the order of the file, each with the number of its frame within the part."""
    stream = container.streams.video[0]
    base, first, found = stream.time_base, round(part.start_s * fps), 0
    frames_a_tick = float(base * fps)
    container.seek(max(0, round(part.start_s / base) - 1), stream=stream, backward=True, any_frame=False)
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None:
            continue
        number = round(packet.pts * frames_a_tick) - first
        if 0 <= number < part.frames:
            yield packet, number
            found += 1
            if found == part.frames:
                return
