"""The bench measures the policy that the comparison with LeRobot checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines import bench
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.peer_run import random_sample, run_here
from smolvla_ros.model.random_checkpoint import random_checkpoint


@pytest.mark.parametrize(("engine", "tolerance"), [("torch", 0.0), ("cpu-fp32", 1e-5), ("cpu-int8", 0.2)])
def test_measured_chunks_are_the_checkpoints(tmp_path: Path, engine: str, tolerance: float) -> None:
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny"), tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    sample = random_sample(checkpoint, seed=1)
    measured = bench.measure(tmp_path, sample, engine, repeat=2)
    np.testing.assert_allclose(measured["chunk"], run_here(checkpoint, sample)["chunk"], rtol=0, atol=tolerance)
    assert measured["seconds"].shape == (2, 3)
    assert (measured["rates"] > 0).all()
    assert ("operations" in measured) == (engine == "torch")
