from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import made_arrays, write_here
from smolvla_ros.data.key_frames import key_frames

TOP = "observation.images.top"


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_key_frames_are_the_pictures_of_their_numbers_and_no_farther_apart_than_asked(
    tmp_path: Path, codec: str
) -> None:
    write_here(tmp_path / "d", made_arrays(0, (13, 30)), codec)
    dataset = open_dataset(tmp_path / "d")
    video = dataset.episodes[1].videos[TOP]
    found = key_frames(video, 30, every=7, step=4)
    assert found is not None
    numbers = [number for number, _ in found]
    assert numbers[0] == 0
    assert max(np.diff([*numbers, 30])) <= 7
    assert len(numbers) <= 6
    for number, grey in found:
        picture = dataset.image(TOP, 13 + number)[::4, ::4].astype(float)
        assert grey.shape == (16, 24)
        assert np.abs(picture @ [0.299, 0.587, 0.114] - grey).mean() < 12
    assert key_frames(video, 30, every=1, step=4) is None
