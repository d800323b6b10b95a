from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.features import camera
from smolvla_ros.data.video_cuts import clean_cuts, cut
from smolvla_ros.data.video_frames import VideoFrames
from smolvla_ros.data.video_slices import VideoSlice

TOP, FPS = "observation.images.top", 30


def pictures(part: VideoSlice) -> np.ndarray:
    return VideoFrames().read(part.path, [part.start_s + number / FPS for number in range(part.frames)])


def test_a_stretch_between_key_frames_is_the_same_file(written: Path, tmp_path: Path) -> None:
    dataset = open_dataset(written)
    video = dataset.episodes[2].videos[TOP]
    assert clean_cuts(video, FPS) == [0, 2, 4, 5]
    part = cut(video, 2, 5, dataset.info.features[TOP], FPS, tmp_path / "cut")
    assert part.path == video.path
    np.testing.assert_array_equal(pictures(part), pictures(video)[2:5])


@pytest.mark.parametrize(("first", "end"), [(1, 5), (0, 3), (3, 4)])
def test_any_other_stretch_is_encoded_again_and_has_exactly_its_frames(
    written: Path, tmp_path: Path, first: int, end: int
) -> None:
    dataset = open_dataset(written)
    video = dataset.episodes[2].videos[TOP]
    part = cut(video, first, end, dataset.info.features[TOP], FPS, tmp_path / "cut")
    found, wanted = pictures(part).astype(int), pictures(video).astype(int)
    assert len(found) == end - first
    errors = np.abs(found[:, None] - wanted[None]).mean(axis=(2, 3, 4))
    assert errors.argmin(axis=1).tolist() == list(range(first, end))


def test_between_pictures_that_refer_to_later_ones_there_is_no_clean_cut(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path, shape = tmp_path / "b.mp4", camera(64, 96).shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "12", "bf": "3", "x264-params": "open-gop=1"})
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
        base = random.integers(0, 256, shape, dtype=np.uint8)
        for number in range(40):
            picture = np.ascontiguousarray(np.roll(base, number, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    cuts = clean_cuts(VideoSlice(path, 0.0, 40), FPS)
    assert cuts[0] == 0
    assert cuts[-1] == 40
    assert not {number for number in cuts if number % 12} - {40}
