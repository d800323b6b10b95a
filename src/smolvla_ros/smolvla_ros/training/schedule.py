"""The learning rate at each step: warm-up, then a cosine (LeRobot's CosineDecayWithWarmupSchedulerConfig)."""

from __future__ import annotations

import math

from smolvla_ros.training.settings import TrainingSettings


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Of step 0 and on. A run shorter than decay_steps has both lengths scaled to fit it, as in LeRobot."""
    warmup, decay = settings.warmup_steps, settings.decay_steps
    if settings.steps < decay:
        warmup, decay = int(warmup * (settings.steps / decay)), settings.steps
    if step < warmup:
        start = 1 / (warmup + 1)
        return settings.learning_rate * (start + (1 - start) * step / warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(step, decay) / decay))
    lowest = settings.decay_learning_rate
    return lowest + (settings.learning_rate - lowest) * cosine
