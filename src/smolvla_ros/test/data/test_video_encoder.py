from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ENCODE = """
import sys
from pathlib import Path
import numpy as np
from smolvla_ros.data.video_encoder import CODECS, encode_video, one_thread_each
{before}
pictures = [np.full((480, 640, 3), 20 * k, np.uint8) for k in range(4)]
assert encode_video(Path(sys.argv[1]), pictures, (480, 640, 3), 30, CODECS["h264"]) == 4
"""


def settings_of(video: Path) -> bytes:
    """What libx264 writes into each file about itself."""
    found = re.search(rb"x264 - core .*? - options: ([^\0]*)", video.read_bytes(), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.skipif(os.cpu_count() == 1, reason="on one core there is one thread anyway")
def test_one_of_several_processes_that_encode_takes_one_thread_and_a_single_one_more(tmp_path: Path) -> None:
    for before, one in (("one_thread_each()", True), ("", False)):
        subprocess.run([sys.executable, "-c", ENCODE.format(before=before), str(tmp_path / "video.mp4")], check=True)
        assert (b" threads=1 " in settings_of(tmp_path / "video.mp4")) is one


def test_every_second_frame_is_a_key_frame_and_none_refers_to_a_later_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", ENCODE.format(before=""), str(tmp_path / "video.mp4")], check=True)
    found = settings_of(tmp_path / "video.mp4")
    assert b" keyint=2 " in found
    assert b" bframes=0 " in found
