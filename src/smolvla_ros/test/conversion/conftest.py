from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.bags.made_bag import make_bag
from smolvla_ros.embodiment import Embodiment, load_embodiment

RATE_HZ = 30.0


@pytest.fixture
def robot(tmp_path: Path) -> Embodiment:
    """The SO-100 with small pictures."""
    text = load_embodiment().path.read_text()
    text = re.sub(r"height: \d+", "height: 48", re.sub(r"width: \d+", "width: 64", text))
    (tmp_path / "small.yaml").write_text(text)
    return load_embodiment(tmp_path / "small.yaml")


@pytest.fixture
def make(tmp_path: Path, robot: Embodiment) -> Callable[..., Path]:
    """Bags of an arm that swings."""

    def made(name: str = "bag", duration_s: float = 1.0, **options: object) -> Path:
        make_bag(tmp_path / name, robot, duration_s, **options)  # type: ignore[arg-type]
        return tmp_path / name

    return made


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)
