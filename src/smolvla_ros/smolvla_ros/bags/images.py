"""Pictures out of sensor_msgs/Image and CompressedImage: the one place, for live nodes and for bags alike."""

from __future__ import annotations

import cv2
import numpy as np

from smolvla_ros.bags.errors import ImageError


def raw_image(height: int, width: int, encoding: str, step: int, data: np.ndarray | bytes) -> np.ndarray:
    """(height, width, 3) uint8 RGB. Raises ImageError."""
    if encoding not in ("rgb8", "bgr8"):
        raise ImageError(f"expected encoding rgb8 or bgr8, found '{encoding}'")
    if len(data) != height * step or step < 3 * width:
        raise ImageError(f"expected {height} rows of {step} bytes, found {len(data)} bytes")
    rows = np.frombuffer(data, dtype=np.uint8).reshape(height, step)
    pixels = rows[:, : 3 * width].reshape(height, width, 3)
    return pixels if encoding == "rgb8" else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def compressed_image(data: np.ndarray | bytes, named_format: str) -> np.ndarray:
    """(height, width, 3) uint8 RGB of a JPEG or PNG. Raises ImageError."""
    coded = np.frombuffer(data, dtype=np.uint8)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR) if len(coded) else None
    if decoded is None:
        raise ImageError(f"expected a JPEG or PNG, found {len(data)} bytes of '{named_format}'")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
