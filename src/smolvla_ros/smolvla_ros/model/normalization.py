"""States and actions in the robot's units to the model's range and back, with LeRobot's formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from smolvla_ros.model.errors import CheckpointError, mismatch

EPSILON = 1e-8
REQUIRED_STATISTICS = {
    "IDENTITY": (),
    "MEAN_STD": ("mean", "std"),
    "MIN_MAX": ("min", "max"),
    "QUANTILES": ("q01", "q99"),
    "QUANTILE10": ("q10", "q90"),
}
WAYS_OUT = (
    "fine-tune it on a dataset of this arm, or name the statistics that it was trained with: smolvla convert SOURCE "
    "TARGET --statistics NAME, a LeRobot dataset's folder, its stats.json, or a name found here (so100-blue of "
    "so100-blue.buffer.action); states and actions may come from two names"
)

Statistics = Mapping[str, Mapping[str, Tensor]]
"""Feature name -> statistic name -> values."""


@dataclass(frozen=True)
class Normalizer:
    """MEAN_STD: (x - mean) / (std + eps) and back x * std + mean. Ranges: [low, high] to [-1, 1]. All (..., width).

    `first`, `second` are mean and std, or low and high; empty for IDENTITY.
    """

    mode: str
    first: Tensor
    second: Tensor
    epsilon: float = EPSILON

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "IDENTITY":
            return x
        if self.mode == "MEAN_STD":
            return (x - self.first) / (self.second + self.epsilon)
        return 2 * (x - self.first) / self._span() - 1

    def inverse(self, y: Tensor) -> Tensor:
        if self.mode == "IDENTITY":
            return y
        if self.mode == "MEAN_STD":
            return y * self.second + self.first
        return (y + 1) / 2 * self._span() + self.first

    def centre_and_spread(self) -> tuple[Tensor, Tensor]:
        """Where the data lie: mean and standard deviation, or the middle of the range and half its span."""
        if self.mode == "MEAN_STD":
            return self.first, self.second
        return (self.first + self.second) / 2, (self.second - self.first) / 2

    def _span(self) -> Tensor:
        span = self.second - self.first
        return torch.where(span == 0, torch.full_like(span, self.epsilon), span)


def make_normalizer(
    mode: str, feature: str, width: int, statistics: Statistics, where: str, epsilon: float = EPSILON
) -> Normalizer:
    """The normaliser of one feature. Raises CheckpointError where its statistics are missing, misshapen or not finite.

    LeRobot passes values through unchanged where the key is missing; an arm would then move on raw model outputs.
    """
    if not isinstance(mode, str) or mode not in REQUIRED_STATISTICS:
        raise mismatch(f"{where}: norm_map", "one of " + ", ".join(REQUIRED_STATISTICS), mode, "correct it")
    if mode == "IDENTITY":
        return Normalizer(mode, torch.empty(0), torch.empty(0), epsilon)
    values = []
    for name in REQUIRED_STATISTICS[mode]:
        value = statistics.get(feature, {}).get(name)
        if value is None:
            found = ", ".join(sorted(f"{key}.{stat}" for key, stats in statistics.items() for stat in stats)) or "none"
            raise CheckpointError(
                f"{where}: expected the statistics {feature}.{name}, found {found}; a policy without its dataset's "
                f"statistics cannot be run on an arm: {WAYS_OUT}"
            )
        if tuple(value.shape) != (width,):
            remedy = "use the statistics of the dataset that it was trained on"
            raise mismatch(f"{where}: {feature}.{name}", f"{width} values", f"shape {list(value.shape)}", remedy)
        if not torch.isfinite(value.float()).all():
            remedy = f"the statistics were never set: {WAYS_OUT}"
            raise mismatch(f"{where}: {feature}.{name}", "finite values", value.tolist(), remedy)
        values.append(value.float())
    if mode == "MEAN_STD" and not (values[1] > 0).all():
        remedy = "a joint that never moved in the dataset cannot be normalised: record one in which it does"
        raise mismatch(f"{where}: {feature}.std", "values above 0", values[1].tolist(), remedy)
    if mode != "MEAN_STD" and not (values[1] > values[0]).all():
        names = REQUIRED_STATISTICS[mode]
        remedy = "a joint that never moved in the dataset cannot be normalised: record one in which it does"
        raise mismatch(
            f"{where}: {feature}.{names[1]}", f"values above {feature}.{names[0]}", values[1].tolist(), remedy
        )
    return Normalizer(mode, values[0], values[1], epsilon)
