"""What is trained on: anything with a length that gives batches of arrays, a dataset or arrays in memory or mapped.

Keys of a batch, all in the dataset's own units: cameras (batch, height, width, 3) uint8 RGB; `observation.state`
(batch, joints); `action` (batch, chunk, joints); `action_is_pad` (batch, chunk) bool, if some rows lie behind an
episode's end; `task`, a text each; `weight` (batch,), if they count differently; and whatever an auxiliary loss reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

TASK = "task"
Arrays = Mapping[str, Any]


class Samples(Protocol):
    """Numbered samples. `batch` is called in other processes too where there are workers."""

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Arrays:
        """Arrays of the samples in the order asked for."""


class ArraySamples:
    """Arrays in memory or memory-mapped, one row a sample, under the keys of a batch."""

    def __init__(self, arrays: Mapping[str, Any], tasks: Sequence[str]) -> None:
        """tasks: the text of each sample."""
        self._arrays, self._tasks = arrays, tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def batch(self, indices: Sequence[int]) -> Arrays:
        rows = np.asarray(indices)
        return {**{name: values[rows] for name, values in self._arrays.items()}, TASK: [self._tasks[i] for i in rows]}


class Subset:
    """Some samples of another, renumbered."""

    def __init__(self, samples: Samples, rows: np.ndarray) -> None:
        self._samples, self._rows = samples, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: Sequence[int]) -> Arrays:
        return self._samples.batch(self._rows[np.asarray(indices)].tolist())


class _Rows(TorchDataset):  # type: ignore[type-arg]
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        return {name: _tensor(value) for name, value in self._samples.batch(indices).items()}


def batches(samples: Samples, rows: Iterable[list[int]], workers: int) -> Iterator[dict[str, Any]]:
    """A batch for each entry of `rows`, read ahead by `workers` processes: arrays as tensors, texts as they are."""
    loader: DataLoader[Any] = DataLoader(
        _Rows(samples),
        batch_sampler=rows,
        num_workers=workers,
        collate_fn=lambda batch: batch,  # type: ignore[arg-type]
    )
    return iter(loader)


def _tensor(value: Any) -> Tensor | list[str]:
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else list(value)
