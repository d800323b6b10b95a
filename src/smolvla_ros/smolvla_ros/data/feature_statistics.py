"""Statistics of features as LeRobot 0.6 has them (`compute_stats.py`), in float64.

Each is min, max, mean, std, count and the quantiles q01, q10, q50, q90, q99. Quantiles of an episode come from a
histogram of 5000 bins over its range; those of several episodes are the means of theirs, weighted by their counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Statistics = dict[str, np.ndarray]
"""Of one feature: statistic -> values of a shape that broadcasts over it; count (1,)."""
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
BINS = 5000
EDGE_MARGIN = 1e-10
FEWEST_IMAGES, MOST_IMAGES, IMAGES_POWER = 100, 10_000, 0.75
LARGE_IMAGE, TARGET_IMAGE = 300, 150


def vector_statistics(values: np.ndarray) -> Statistics:
    """Over frames: values (frames, ..., components) or (frames,), statistics (components,) or (1,)."""
    table = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    columns = [_weighted(column, np.ones(len(column))) for column in table.T]
    return {**{name: np.array([c[name] for c in columns]) for name in columns[0]}, "count": np.array([len(values)])}


def vector_moments(values: np.ndarray) -> Statistics:
    """`vector_statistics` without the quantiles, which take most of its time."""
    table = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    columns = [_moments(column, np.ones(len(column))) for column in table.T]
    return {**{name: np.array([c[name] for c in columns]) for name in columns[0]}, "count": np.array([len(values)])}


class ImageStatistics:
    """Per channel over the pixels of images added one by one, in [0, 1]: (3, 1, 1). count is of images."""

    def __init__(self) -> None:
        self._counts, self._images = np.zeros((3, 256), dtype=np.int64), 0

    def add(self, image: np.ndarray) -> None:
        """image: (height, width, 3) uint8. Of large ones some pixels are taken."""
        height, width = image.shape[:2]
        step = 1 if max(height, width) < LARGE_IMAGE else max(height, width) // TARGET_IMAGE
        few = image[::step, ::step]
        for channel in range(3):
            self._counts[channel] += np.bincount(few[..., channel].ravel(), minlength=256)
        self._images += 1

    def result(self) -> Statistics:
        levels = np.arange(256, dtype=np.float64)
        channels = [_weighted(levels[counts > 0], counts[counts > 0]) for counts in self._counts]
        found = {name: np.array([c[name] for c in channels]).reshape(3, 1, 1) / 255 for name in channels[0]}
        return {**found, "count": np.array([self._images])}


def sampled_frames(frames: int) -> list[int]:
    """Which images of an episode its statistics are of: about frames^0.75, evenly spread, ends included."""
    few = max(min(FEWEST_IMAGES, frames), min(int(frames**IMAGES_POWER), MOST_IMAGES))
    return [int(frame) for frame in np.round(np.linspace(0, frames - 1, few))]


def joined(parts: Sequence[Statistics]) -> Statistics:
    """Of several episodes together. Quantiles only where every part has them."""
    counts = np.array([float(part["count"][0]) for part in parts])
    total = counts.sum()

    def mean_of(values: list[np.ndarray]) -> np.ndarray:
        return np.tensordot(counts, np.stack(values), axes=1) / total

    mean = mean_of([part["mean"] for part in parts])
    variance = mean_of([part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(total)]),
        **{q: mean_of([part[q] for part in parts]) for q in QUANTILES if all(q in part for part in parts)},
    }


def joined_by_feature(episodes: Sequence[Mapping[str, Statistics]]) -> dict[str, Statistics]:
    """Of each feature, over all episodes that have it."""
    features = dict.fromkeys(feature for episode in episodes for feature in episode)
    return {feature: joined([e[feature] for e in episodes if feature in e]) for feature in features}


def _moments(values: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Of values (n,) that occur counts (n,) times."""
    total = counts.sum()
    mean = float((values * counts).sum() / total)
    deviation = np.sqrt((counts * (values - mean) ** 2).sum() / total)
    return {"min": values.min(), "max": values.max(), "mean": mean, "std": deviation}


def _weighted(values: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """`_moments` and quantiles."""
    found, total = _moments(values, counts), counts.sum()
    edges = np.linspace(found["min"] - EDGE_MARGIN, found["max"] + EDGE_MARGIN, BINS + 1)
    held, _ = np.histogram(values, bins=edges, weights=counts)
    below = np.cumsum(held)
    for name, share in QUANTILES.items():
        target = share * total
        place = int(np.searchsorted(below, target))
        if place == 0 or place >= BINS:
            found[name] = edges[0] if place == 0 else edges[-1]
            continue
        fraction = (target - below[place - 1]) / held[place]
        found[name] = edges[place] + fraction * (edges[place + 1] - edges[place])
    return found
