from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import made_arrays, write_here
from smolvla_ros.data.key_frames import key_pictures, places_at_intervals
from smolvla_ros.data.video_slices import opened, packets

TOP = "observation.images.top"


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_key_frames_are_the_pictures_of_their_numbers_and_no_farther_apart_than_asked(
    tmp_path: Path, codec: str
) -> None:
    write_here(tmp_path / "d", made_arrays(0, (13, 30)), codec)
    dataset = open_dataset(tmp_path / "d")
    video = dataset.episodes[1].videos[TOP]
    with opened(video.path) as container:
        keys = [(number, packet) for packet, number in packets(container, video, 30) if packet.is_keyframe]
        places = places_at_intervals([number for number, _ in keys], 30, every=7)
        assert places is not None
        found = key_pictures(container, [keys[place][1] for place in places], step=4)
    assert found is not None
    numbers = [keys[place][0] for place in places]
    assert numbers[0] == 0
    assert max(np.diff([*numbers, 30])) <= 7
    assert len(numbers) <= 6
    for number, grey in zip(numbers, found, strict=True):
        picture = dataset.image(TOP, 13 + number)[::4, ::4].astype(float)
        assert grey.shape == (16, 24)
        assert np.abs(picture @ [0.299, 0.587, 0.114] - grey).mean() < 12


def test_key_frames_too_far_apart_are_none() -> None:
    assert places_at_intervals([0, 2, 4, 6], 8, every=1) is None
    assert places_at_intervals([0, 2, 4, 6], 14, every=7) is None
    assert places_at_intervals([1, 2, 4, 6], 8, every=7) is None
    assert places_at_intervals([], 8, every=7) is None
    assert places_at_intervals([0, 2, 4, 6], 8, every=4) == [0, 2, 3]
