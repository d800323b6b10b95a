from __future__ import annotations

import numpy as np
import pytest
from bench import ROBOT
from smolvla_ros.execution.rehearsal import rehearsed
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.settings import MODES, ExecutorSettings


@pytest.mark.parametrize("mode", MODES)
def test_a_chunk_goes_all_the_way_and_asks_the_arm_for_nothing(mode: str) -> None:
    trajectory = rehearsed(MotionLimits.of(ROBOT), ExecutorSettings(mode=mode))
    assert trajectory is not None
    assert len(trajectory.times_s) > 10
    assert np.ptp(trajectory.positions, axis=0).max() == pytest.approx(0.0, abs=1e-9)
