from __future__ import annotations

import pytest
from smolvla_ros.training.schedule import learning_rate
from smolvla_ros.training.settings import TrainingSettings

# LeRobot 0.6.1: CosineDecayWithWarmupSchedulerConfig(1000, 30000, 1e-4, 2.5e-6).build(optimizer, steps)
LEROBOT = [
    (60_000, 0, 1e-4 / 1001),
    (60_000, 500, 5.0050e-05),
    (60_000, 15_000, 5.1250e-05),
    (60_000, 30_000, 2.5e-6),
    (60_000, 50_000, 2.5e-6),
    (3_000, 0, 1e-4 / 101),
    (3_000, 1_500, 5.1250e-05),
    (3_000, 3_000, 2.5e-6),
    (10, 0, 1e-4),
]


@pytest.mark.parametrize(("steps", "step", "expected"), LEROBOT)
def test_the_learning_rate_is_lerobots(steps: int, step: int, expected: float) -> None:
    assert learning_rate(step, TrainingSettings(steps=steps)) == pytest.approx(expected, rel=1e-4)
