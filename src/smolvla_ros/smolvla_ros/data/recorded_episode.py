"""An episode as a recorder, a converter or the simulator hands it over: arrays and pictures on one clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import Feature
from smolvla_ros.data.info import Info


@dataclass(frozen=True)
class RecordedEpisode:
    """Frame k is at k / fps.

    task: one text, or one a frame. columns: feature -> (frames, *shape) in the feature's units. images: camera ->
    pictures (height, width, 3) uint8 RGB, as many as frames, taken one by one. notes: what is known besides (success,
    operator, source), as JSON.
    """

    task: str | Sequence[str]
    columns: Mapping[str, np.ndarray]
    images: Mapping[str, Iterable[np.ndarray]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return min((len(values) for values in self.columns.values()), default=0)

    @property
    def tasks(self) -> list[str]:
        """Of each frame."""
        return [self.task] * self.frames if isinstance(self.task, str) else [str(task) for task in self.task]


def require_fit(info: Info, episode: RecordedEpisode) -> None:
    """Raises DatasetError where an episode lacks a feature, has another, or one of another shape."""
    remedy = "record it with the features of the dataset, or begin a new dataset"
    given, wanted = {*episode.columns, *episode.images}, set(info.given)
    if given != wanted:
        found = f"missing {sorted(wanted - given)}, unknown {sorted(given - wanted)}"
        raise mismatch("features of the episode", str(sorted(wanted)), found, remedy)
    if not episode.frames or len(episode.tasks) != episode.frames or not all(task.strip() for task in episode.tasks):
        found = f"{episode.frames} frames with {len(episode.tasks)} tasks, some empty or too few"
        raise mismatch("the episode", "frames, and a task for all or for each", found, "name the task in words")
    for name, values in episode.columns.items():
        _require_shape(name, info.features[name], np.asarray(values), episode.frames)


def _require_shape(name: str, feature: Feature, values: np.ndarray, frames: int) -> None:
    shape = () if feature.shape == (1,) and values.ndim == 1 else feature.shape
    if values.shape != (frames, *shape):
        raise mismatch(name, f"shape {(frames, *shape)}", values.shape, "give a row for every frame")
    if feature.is_number and not np.isfinite(values.astype(np.float64)).all():
        frame = int(np.argwhere(~np.isfinite(values.astype(np.float64).reshape(frames, -1)).all(axis=1))[0, 0])
        raise mismatch(f"{name} at frame {frame}", "finite numbers", values[frame], "leave these frames out")
