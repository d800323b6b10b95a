"""The last frame of each camera with what the vision encoder made of it: a frame that comes again is not encoded again.

A camera may be slower than the policy, may have stopped, or look at a scene in which nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor


class FrameMemory:
    """State: for each camera its last frame (height, width, 3) uint8, a copy, and that frame's image tokens."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[np.ndarray, Tensor]] = {}

    def known(self, frames: Mapping[str, np.ndarray]) -> list[Tensor | None]:
        """The image tokens of each frame that equals its camera's last one, None for the others."""
        return [
            self._seen[camera][1] if camera in self._seen and np.array_equal(self._seen[camera][0], frame) else None
            for camera, frame in frames.items()
        ]

    def keep(self, frames: Mapping[str, np.ndarray], tokens: Sequence[Tensor | None]) -> None:
        """Remembers what was encoded; tokens in the frames' order."""
        for (camera, frame), encoded in zip(frames.items(), tokens, strict=True):
            if encoded is not None and (camera not in self._seen or self._seen[camera][1] is not encoded):
                self._seen[camera] = (frame.copy(), encoded)
