"""Overlap: what becomes of a row for which an older chunk has said something already.

Every rule is a share in [0, 1] that the newer chunk has in the row; the older rows have the rest. Fixed shares are
those of LeRobot's asynchronous client. Real-time chunking needs none of this: its chunks are made to go on from the
rows under way, and `latest` takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIXED_SHARES = {"latest": 1.0, "weighted_average": 0.7, "average": 0.5, "conservative": 0.3}
TEMPORAL_ENSEMBLE = "temporal_ensemble"
CROSS_FADE = "cross_fade"
OVERLAPS = (*FIXED_SHARES, TEMPORAL_ENSEMBLE, CROSS_FADE)


class OverlapError(ValueError):
    """A rule that there is not. The message names those that there are."""


@dataclass(frozen=True)
class Overlap:
    """A rule for each joint; cross_fade_s and the ensemble's coefficient are read by the rules of these names.

    Raises OverlapError for a rule that there is not.
    """

    rules: tuple[str, ...]
    cross_fade_s: float = 0.3
    ensemble_coefficient: float = 0.01

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule not in OVERLAPS:
                raise OverlapError(f"overlap: expected one of {', '.join(OVERLAPS)}, found '{rule}'")

    @property
    def newest_only(self) -> bool:
        """Whether no older row counts for anything."""
        return set(self.rules) == {"latest"}

    def new_shares(self, chunks: np.ndarray, after_s: np.ndarray, span_s: float) -> np.ndarray:
        """(rows, joints). chunks (rows,): how many older chunks a row is made of; after_s (rows,): how long after the
        newer one landed they are for; span_s: how long after it the older ones end.
        """
        of_rule = {rule: self._shares(rule, chunks, after_s, span_s) for rule in set(self.rules)}
        return np.stack([of_rule[rule] for rule in self.rules], axis=1)

    def _shares(self, rule: str, chunks: np.ndarray, after_s: np.ndarray, span_s: float) -> np.ndarray:
        if rule == TEMPORAL_ENSEMBLE:
            return ensemble_share(chunks, self.ensemble_coefficient)
        if rule == CROSS_FADE:
            return fade_share(after_s, min(self.cross_fade_s, span_s))
        return np.full(len(after_s), FIXED_SHARES[rule])


def ensemble_share(chunks: np.ndarray, coefficient: float) -> np.ndarray:
    """ACT's temporal ensembling (arXiv 2304.13705): chunk i of those that cover a row, 0 the oldest, weighs
    exp(-coefficient * i). What is there already is the mean of `chunks` of them.
    """
    weights = np.exp(-coefficient * np.arange(int(chunks.max(initial=0)) + 1))
    return weights[chunks] / np.cumsum(weights)[chunks]


def fade_share(after_s: np.ndarray, duration_s: float) -> np.ndarray:
    """From 0 to 1 over the duration along Flash and Hogan's minimum-jerk course: no jolt at either end."""
    phase = np.clip(after_s / duration_s, 0.0, 1.0) if duration_s > 0 else np.ones_like(after_s)
    return phase**3 * (10 - 15 * phase + 6 * phase**2)
