from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cameras.capture import Capture
from smolvla_ros.cameras.choice import source_of
from smolvla_ros.cameras.device import CameraError
from smolvla_ros.embodiment import load_embodiment

ROBOT = load_embodiment()


def test_images_are_rgb_and_a_video_begins_again_at_its_end(video: Callable[..., Path]) -> None:
    capture = Capture(source_of(ROBOT, "top", str(video())))
    colours = [capture.read().mean(axis=(0, 1)) for _ in range(12)]
    capture.close()
    assert colours[0][0] > 200 > 60 > colours[0][2]  # the second picture: still red
    assert colours[8][2] > 200 > 60 > colours[8][0]  # the last one: blue
    np.testing.assert_allclose(colours[10], colours[0], atol=3)


def test_a_size_that_is_not_the_embodiment_s_is_refused_with_both(video: Callable[..., Path]) -> None:
    path = video(width=320, height=240)
    with pytest.raises(CameraError, match="expected images of 640x480, found 320x240"):
        Capture(source_of(ROBOT, "top", str(path)))


def test_what_gives_no_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.avi"
    path.write_bytes(b"no video")
    with pytest.raises(CameraError, match=r"camera top: .*empty\.avi gives no images"):
        Capture(source_of(ROBOT, "top", str(path)))
