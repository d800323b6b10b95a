"""An opened camera: its images one after the other, through OpenCV."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from smolvla_ros.cameras.choice import CameraSource
from smolvla_ros.cameras.device import CameraError, check_device

FOURCC = {"mjpeg": "MJPG", "yuyv": "YUYV"}


class Capture:
    """State: OpenCV's handle, and when a video file's next image is due. Close it."""

    def __init__(self, source: CameraSource) -> None:
        """Raises CameraError where it does not open, or gives images of another size."""
        self._source, camera = source, source.camera
        check_device(source.device)
        self._is_file = Path(source.device).is_file()
        self._video = cv2.VideoCapture(source.device, cv2.CAP_FFMPEG if self._is_file else cv2.CAP_V4L2)
        if not self._is_file:
            pixel_format = camera.device.pixel_format if camera.device else "mjpeg"
            self._video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*FOURCC[pixel_format]))
            self._video.set(cv2.CAP_PROP_FRAME_WIDTH, camera.width)
            self._video.set(cv2.CAP_PROP_FRAME_HEIGHT, camera.height)
            self._video.set(cv2.CAP_PROP_FPS, camera.rate_hz)
            self._video.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an image that waited is an old one
        self._due_s = time.monotonic()
        try:
            self.read()
        except CameraError:
            self.close()
            raise

    def read(self) -> np.ndarray:
        """The next image, (height, width, 3) uint8 RGB; waits for it. Raises CameraError."""
        camera = self._source.camera
        if self._is_file:
            time.sleep(max(0.0, self._due_s - time.monotonic()))
            self._due_s = max(self._due_s, time.monotonic() - 1.0) + 1.0 / camera.rate_hz
        came, image = self._video.read()
        if not came and self._is_file:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, 0)
            came, image = self._video.read()
        if not came:
            raise CameraError(
                f"camera {camera.name}: {self._source.device} gives no images: unplugged, or another program has it"
            )
        if image.shape != (camera.height, camera.width, 3):
            raise CameraError(
                f"camera {camera.name}: {self._source.device}: expected images of {camera.width}x{camera.height}, "
                f"found {image.shape[1]}x{image.shape[0]}: write a size that it has (v4l2-ctl -d {self._source.device} "
                "--list-formats-ext) into the embodiment file"
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        self._video.release()
