"""Which samples make up the batch of each step: a function of seed and step, so that a run can go on anywhere."""

from __future__ import annotations

import numpy as np

from smolvla_ros.training.errors import mismatch

ORDER_STREAM, DRAW_STREAM, AUGMENTATION_STREAM, HELD_OUT_STREAM, LOW_RANK_STREAM = range(5)


class Order:
    """Epoch after epoch without a gap between; each is a permutation, or by weight as many draws with replacement."""

    def __init__(self, count: int, batch_size: int, seed: int, weights: np.ndarray | None = None) -> None:
        """`weights` (count,), 0 or more: how often a sample is drawn. Raises TrainingError."""
        if not count:
            raise mismatch("samples to train on", "at least one", "none", "record episodes, or hold out fewer")
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float64)
            if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
                raise mismatch(
                    "sampling weights", f"{count} numbers from 0 on, one above", weights.shape, "correct them"
                )
            weights = weights / weights.sum()
        self._count, self._batch, self._seed, self._weights = count, batch_size, seed, weights
        self._epochs: dict[int, np.ndarray] = {}

    def rows(self, step: int) -> np.ndarray:
        """(batch_size,) sample numbers of a step, counted from 0."""
        places = np.arange(step * self._batch, (step + 1) * self._batch)
        epochs = places // self._count
        known = self._epochs
        self._epochs = {e: known[e] if e in known else self._drawn(e) for e in np.unique(epochs).tolist()}
        return np.concatenate([order[places[epochs == e] % self._count] for e, order in self._epochs.items()])

    def _drawn(self, epoch: int) -> np.ndarray:
        random = np.random.default_rng([self._seed, ORDER_STREAM, epoch])
        if self._weights is None:
            return random.permutation(self._count)
        return random.choice(self._count, size=self._count, p=self._weights)
