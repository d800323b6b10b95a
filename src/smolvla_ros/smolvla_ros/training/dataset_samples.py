"""A LeRobot dataset's frames as samples: what each camera shows, the state, and the chunk of actions that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.features import ACTION, STATE
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.samples import TASK, Arrays

HELD_OUT_STREAM = 1


class DatasetSamples:
    """Sample i is row i of the dataset."""

    def __init__(self, dataset: Dataset, cameras: Mapping[str, str], chunk: int) -> None:
        """cameras: the dataset's feature -> the checkpoint's."""
        self._dataset, self._cameras, self._chunk = dataset, dict(cameras), chunk

    def __len__(self) -> int:
        return len(self._dataset)

    def without_pictures(self) -> DatasetSamples:
        return DatasetSamples(self._dataset, {}, self._chunk)

    def batch(self, indices: Sequence[int]) -> Arrays:
        dataset, rows = self._dataset, np.asarray(indices)
        actions, is_pad = dataset.chunks(rows.tolist(), self._chunk)
        order = np.argsort(rows)  # going forward through a video decodes each picture once
        arrays = {}
        for name, wanted in self._cameras.items():
            pictures = dataset.images(name, rows[order].tolist())
            arrays[wanted] = pictures[np.argsort(order)]
        return {
            **arrays,
            STATE: dataset.column(STATE)[rows].astype(np.float32),
            ACTION: actions.astype(np.float32),
            f"{ACTION}_is_pad": is_pad,
            TASK: [dataset.task(int(row)) for row in rows],
        }


def split_episodes(dataset: Dataset, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out: whole episodes, `share` of them and at least one where it is above 0.

    Raises TrainingError where none would be left to train on.
    """
    count = len(dataset.episodes)
    wanted = max(1, round(share * count)) if share else 0
    if wanted >= count:
        remedy = "record more, or set validation_share to 0"
        raise mismatch(f"{dataset.root}: episodes", f"more than the {wanted} held out", count, remedy)
    chosen = np.random.default_rng([seed, HELD_OUT_STREAM]).permutation(count)[:wanted]
    held_out = np.zeros(len(dataset), dtype=bool)
    for index in chosen.tolist():
        held_out[dataset.episodes[index].start : dataset.episodes[index].end] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
