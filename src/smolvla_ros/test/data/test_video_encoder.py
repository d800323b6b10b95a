from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.video_encoder import CODECS, encode_video

SHAPE = (96, 128, 3)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    pictures = [np.full(SHAPE, 20 * k, np.uint8) for k in range(4)]
    assert encode_video(tmp_path / "video.mp4", pictures, SHAPE, 30, CODECS["h264"]) == 4
    return tmp_path / "video.mp4"


def settings_of(video: Path) -> bytes:
    """What libx264 writes into each file about itself."""
    found = re.search(rb"x264 - core .*? - options: ([^\0]*)", video.read_bytes(), re.DOTALL)
    assert found
    return found[1]


def test_it_encodes_with_one_thread_so_that_the_same_pictures_make_the_same_file(video: Path) -> None:
    assert b" threads=1 " in settings_of(video)


def test_every_second_frame_is_a_key_frame_and_none_refers_to_a_later_one(video: Path) -> None:
    assert b" keyint=2 " in settings_of(video)
    assert b" bframes=0 " in settings_of(video)
