"""The few pictures that are looked at tell what all of them would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.checks import frozen_spans
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import FPS, made_arrays, write_here
from smolvla_ros.data.dataset_check import check
from smolvla_ros.data.still_cameras import FROZEN_S, PIXEL_STEP, joint_speeds, still_stretches

TOP = "observation.images.top"
FRAMES = 90


def moving_scene(seed: int) -> dict[str, np.ndarray]:
    """A bright square that crosses a fixed ground, and joints that move all along."""
    arrays = made_arrays(seed=seed, lengths=(FRAMES,))
    pictures = np.repeat(arrays[TOP][:1] // 2 + 40, FRAMES, axis=0)
    for frame, picture in enumerate(pictures):
        left = int((pictures.shape[2] - 16) * (0.5 + 0.5 * np.sin(frame / 9)))
        picture[20:36, left : left + 16] = 240
    t = np.arange(FRAMES) / FPS
    moved = np.stack([30 + 20 * np.sin(3 * t + joint) for joint in range(6)], axis=1).astype(np.float32)
    return arrays | {TOP: pictures, "action": moved, "observation.state": moved}


@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize(("seed", "stands"), [(0, [(20, 50)]), (1, [(0, 16), (40, 54)]), (2, []), (3, [(60, 90)])])
@pytest.mark.parametrize("noise", [0, 6])
def test_stands_are_those_that_all_pictures_show(
    tmp_path: Path, codec: str, seed: int, stands: list[tuple[int, int]], noise: int
) -> None:
    arrays = moving_scene(seed)
    for first, end in stands:
        arrays[TOP][first:end] = arrays[TOP][first]
    random = np.random.default_rng(seed)
    arrays[TOP] = arrays[TOP] + random.integers(0, noise + 1, arrays[TOP].shape, dtype=np.uint8)
    write_here(tmp_path / "d", arrays, codec)
    dataset = open_dataset(tmp_path / "d")
    speeds = joint_speeds(dataset)[: FRAMES - 1]
    pictures = (dataset.image(TOP, row)[::PIXEL_STEP, ::PIXEL_STEP] for row in range(FRAMES))
    expected = frozen_spans(pictures, speeds, FPS, FROZEN_S)
    assert len(expected) >= sum(end - first > 15 for first, end in stands)
    found = [str(finding) for finding in check(dataset) if finding.feature == TOP]
    assert [text.partition("; ")[0] for text in found] == [
        f"episode 0: {TOP}: expected pictures that change with the arm, found one that stands from frame {a} to {b}"
        for a, b in expected
    ]


def test_what_was_coded_as_a_change_is_not_looked_at(tmp_path: Path) -> None:
    write_here(tmp_path / "d", moving_scene(4), "h264")
    dataset = open_dataset(tmp_path / "d")
    speeds = joint_speeds(dataset)[: FRAMES - 1]
    assert still_stretches(dataset.episodes[0].videos[TOP], FPS, speeds) == (FRAMES, [])
