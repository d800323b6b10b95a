from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.dataset_arrays import Arrays, made_arrays, write_here

LENGTHS = (9, 3, 5)


@pytest.fixture
def arrays() -> Arrays:
    return made_arrays(seed=4, lengths=LENGTHS)


@pytest.fixture
def written(tmp_path: Path, arrays: Arrays) -> Path:
    """A dataset of three episodes, H.264."""
    write_here(tmp_path / "written", arrays, "h264")
    return tmp_path / "written"


def episode_rows(index: int) -> slice:
    ends = np.cumsum(LENGTHS)
    return slice(int(ends[index] - LENGTHS[index]), int(ends[index]))
