"""Datasets that the commands work on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.dataset_arrays import FPS, Arrays, made_arrays, write_here

LENGTHS = (40, 12, 25)


def arm_arrays(seed: int, lengths: tuple[int, ...]) -> Arrays:
    """As an arm moves: tens of degrees in seconds, pictures that change with it."""
    arrays, t = made_arrays(seed, lengths), np.arange(sum(lengths)) / FPS
    moved = np.stack([30 + 20 * np.sin(t + joint) for joint in range(6)], axis=1).astype(np.float32)
    starts = np.cumsum(lengths) - np.array(lengths)
    for start, length in zip(starts, lengths, strict=True):
        moved[start : start + length] = moved[:length]
    return arrays | {"action": moved + np.float32(0.5), "observation.state": moved}


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "demos"
    write_here(root, arm_arrays(3, LENGTHS), "h264")
    return root


@pytest.fixture
def dataset_root(tmp_path: Path, made_once: Path) -> Path:
    """Three episodes, two tasks, two cameras."""
    return Path(shutil.copytree(made_once, tmp_path / "demos"))
