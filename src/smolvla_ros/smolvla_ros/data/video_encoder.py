"""One camera's pictures of an episode as a video that is read at random: every second frame is a key frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from smolvla_ros.data.errors import mismatch

KEY_FRAME_EVERY = 2
PIXELS = "yuv420p"
QUICK = "rc-lookahead=0:mbtree=0:scenecut=0:weightp=0:qcomp=1:aq-mode=0:subme=1:me=dia:partitions=none:8x8dct=0"


@dataclass(frozen=True)
class Codec:
    """name: as in info.json. encoder: of libav. crf: quality, less is better. options: the encoder's own."""

    name: str
    encoder: str
    crf: int
    preset: str | int
    options: dict[str, str]


CODECS = {
    "av1": Codec("av1", "libsvtav1", 30, 12, {"svtav1-params": "fast-decode=0"}),  # LeRobot's own settings
    # Pictures in the order that they are shown in, so that a join by copying keeps every time stamp. Where every second
    # frame is a key frame, looking ahead, dividing blocks and sharing out bits take time and save no room: files of
    # x264's own choices at crf 23 are as large, and no nearer to what the camera saw. With one thread the same
    # pictures make the same file, with several not always; and who converts many bags has a process for each core.
    "h264": Codec("h264", "libx264", 28, "veryfast", {"bf": "0", "threads": "1", "x264-params": QUICK}),
}


def codec_named(name: str) -> Codec:
    """Raises DatasetError."""
    if name not in CODECS:
        raise mismatch("codec", " or ".join(CODECS), name, "name one of them")
    return CODECS[name]


def video_settings(codec: Codec, height: int, width: int, fps: int) -> dict[str, Any]:
    """A camera's `info` in info.json, under LeRobot's names."""
    return {
        "video.height": height,
        "video.width": width,
        "video.codec": codec.name,
        "video.pix_fmt": PIXELS,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
        "video.g": KEY_FRAME_EVERY,
        "video.crf": codec.crf,
        "video.preset": codec.preset,
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": {},
        "is_depth_map": False,
    }


def encode_video(
    path: Path,
    images: Iterable[np.ndarray],
    shape: tuple[int, ...],
    fps: int,
    codec: Codec,
    seen: Callable[[int, np.ndarray], None] = lambda index, image: None,
) -> int:
    """Writes an mp4 and returns its frames. images: `shape` (height, width, 3) uint8 RGB; `seen` gets each before it is
    encoded. Raises DatasetError where an image has another size or type.
    """
    os.environ.setdefault("SVT_LOG", "1")  # its settings are no news: errors only
    options = {"g": str(KEY_FRAME_EVERY), "crf": str(codec.crf), "preset": str(codec.preset), **codec.options}
    frames = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(codec.encoder, rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], PIXELS
        for image in images:
            if image.shape != tuple(shape) or image.dtype != np.uint8:
                found = f"{image.shape} of {image.dtype} at frame {frames}"
                raise mismatch(path.stem, f"images {tuple(shape)} of uint8", found, "record all of it with one size")
            seen(frames, image)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
            frames += 1
        container.mux(stream.encode())
    return frames
