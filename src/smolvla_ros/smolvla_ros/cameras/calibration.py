"""The calibration of a camera's lens, as camera_calibration writes it and camera_info_manager reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from smolvla_ros.cameras.device import CameraError
from smolvla_ros.embodiment import Camera


@dataclass(frozen=True)
class Calibration:
    """As in sensor_msgs/CameraInfo: K (3, 3), D, R (3, 3), P (3, 4); lengths in pixels."""

    distortion_model: str
    distortion: np.ndarray
    intrinsics: np.ndarray
    rectification: np.ndarray
    projection: np.ndarray


def load_calibration(path: Path, camera: Camera) -> Calibration:
    """Raises CameraError where it is no such file, or one for images of another size."""
    expected = "expected a file that camera_calibration wrote"
    try:
        raw = yaml.safe_load(path.read_text())
        size = int(raw["image_width"]), int(raw["image_height"])
        calibration = Calibration(
            str(raw["distortion_model"]),
            _numbers(raw["distortion_coefficients"]),
            _numbers(raw["camera_matrix"]).reshape(3, 3),
            _numbers(raw["rectification_matrix"]).reshape(3, 3),
            _numbers(raw["projection_matrix"]).reshape(3, 4),
        )
    except OSError as error:
        raise CameraError(f"camera {camera.name}: calibration {path}: {error.strerror or error}; {expected}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise CameraError(f"camera {camera.name}: calibration {path}: {expected}, found a fault at {error}") from None
    if size != (camera.width, camera.height):
        raise CameraError(
            f"camera {camera.name}: calibration {path}: expected images of {camera.width}x{camera.height}, found "
            f"{size[0]}x{size[1]}: calibrate it at the embodiment file's size"
        )
    return calibration


def _numbers(matrix: dict[str, list[float]]) -> np.ndarray:
    return np.array(matrix["data"], dtype=float)
