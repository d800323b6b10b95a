from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video of ten even pictures, the first red, then ever bluer ones."""

    def write(name: str = "eye.avi", width: int = 640, height: int = 480) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (width, height))
        for i in range(10):
            writer.write(np.full((height, width, 3), (25 * i, 0, 250 - 25 * i), np.uint8))
        writer.release()
        return path

    return write
