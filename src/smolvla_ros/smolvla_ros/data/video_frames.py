"""Pictures of videos by time, at random. Going forward through a file decodes each picture once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.video_slices import DAMAGED, opened

TOLERANCE_S = 1e-4
"""LeRobot's: a picture farther than this from the time asked for is not the one."""
MOST_OPEN = 8
FORWARD_S = 0.15
"""To a picture this little ahead decoding goes on; to others it starts anew at the key frame before."""


class VideoFrames:
    """Keeps the last few files open. Not for several threads at once; a copy in another process opens its own."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, _OpenVideo] = OrderedDict()

    def read(self, path: Path, times_s: Sequence[float]) -> np.ndarray:
        """(times, height, width, 3) uint8 RGB. Raises DatasetError where there is none at such a time."""
        video = self._open.pop(path, None) or _OpenVideo(path)
        self._open[path] = video
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return np.stack([video.at(time_s) for time_s in times_s])

    def __getstate__(self) -> dict[str, Any]:
        return {"_open": OrderedDict()}


class _OpenVideo:
    def __init__(self, path: Path) -> None:
        self._path, self._container = path, opened(path)
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1  # with more, pictures come late; loaders have processes
        self._decoder: Any = None
        self._last: tuple[float, Any] | None = None

    def at(self, time_s: float) -> np.ndarray:
        last_s = self._last[0] if self._last else None
        if last_s is None or not last_s - TOLERANCE_S <= time_s <= last_s + FORWARD_S:
            self._seek(time_s)
        while self._last is None or self._last[0] < time_s - TOLERANCE_S:
            frame = next(self._decoder, None)
            if frame is None:
                self._decoder = None
                break
            if frame.pts is not None:
                self._last = (float(frame.pts * self._stream.time_base), frame)
        if self._last is None or abs(self._last[0] - time_s) > TOLERANCE_S:
            found = f"the nearest at {self._last[0]:.4f} s" if self._last else "none"
            self._last = None
            raise mismatch(self._path, f"a picture at {time_s:.4f} s", found, DAMAGED)
        return self._last[1].to_ndarray(format="rgb24")

    def _seek(self, time_s: float) -> None:
        offset = max(0, round(time_s / self._stream.time_base) - 1)
        self._container.seek(offset, stream=self._stream, backward=True, any_frame=False)
        self._decoder, self._last = self._container.decode(self._stream), None

    def close(self) -> None:
        self._container.close()
