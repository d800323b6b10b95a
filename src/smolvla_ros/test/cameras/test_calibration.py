from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from smolvla_ros.cameras.calibration import load_calibration
from smolvla_ros.cameras.device import CameraError
from smolvla_ros.embodiment import load_embodiment

TOP = load_embodiment().camera("top")


@pytest.fixture
def written(tmp_path: Path):
    """What camera_calibration writes, with changes."""

    def write(**changes: object) -> Path:
        raw = {
            "image_width": 640,
            "image_height": 480,
            "camera_name": "top",
            "camera_matrix": {"rows": 3, "cols": 3, "data": [600.0, 0, 320, 0, 601, 240, 0, 0, 1]},
            "distortion_model": "plumb_bob",
            "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.2, 0, 0, 0]},
            "rectification_matrix": {"rows": 3, "cols": 3, "data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
            "projection_matrix": {"rows": 3, "cols": 4, "data": [590.0, 0, 320, 0, 0, 592, 240, 0, 0, 0, 1, 0]},
        }
        path = tmp_path / "top.yaml"
        path.write_text(yaml.safe_dump({**raw, **changes}))
        return path

    return write


def test_a_calibration_is_read_as_camera_info_has_it(written) -> None:
    lens = load_calibration(written(), TOP)
    assert (lens.distortion_model, lens.distortion[1]) == ("plumb_bob", -0.2)
    assert (lens.intrinsics[1, 1], lens.projection[1, 1], lens.rectification.trace()) == (601, 592, 3)


def test_one_of_another_size_or_half_a_file_is_refused(written, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="expected images of 640x480, found 1280x720"):
        load_calibration(written(image_width=1280, image_height=720), TOP)
    with pytest.raises(CameraError, match="expected a file that camera_calibration wrote"):
        load_calibration(written(camera_matrix={"data": [1, 2]}), TOP)
    with pytest.raises(CameraError, match="No such file"):
        load_calibration(tmp_path / "nowhere.yaml", TOP)
