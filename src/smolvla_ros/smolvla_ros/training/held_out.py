"""The loss on held-out samples, always with the same noise and times, so that two moments of a run can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.training.draws import draw
from smolvla_ros.training.objective import Objective
from smolvla_ros.training.order import HELD_OUT_STREAM
from smolvla_ros.training.processes import Processes
from smolvla_ros.training.samples import Samples, batches

MOST_SAMPLES = 512
"""Evenly spread over those held out: enough to tell checkpoints apart, quick to decode."""


def held_out_rows(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, MOST_SAMPLES)).astype(int))


@torch.no_grad()
def held_out_loss(
    objective: Objective,
    samples: Samples,
    prepare: Callable[[Mapping[str, Any]], dict[str, Tensor]],
    processes: Processes,
    batch_size: int,
    seed: int,
    workers: int,
) -> float:
    """The mean over held-out samples; each process takes its share of every batch."""
    rows = held_out_rows(len(samples))
    parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    shares = [np.array_split(np.arange(len(part)), processes.count)[processes.index] for part in parts]
    wanted = [(k, share) for k, share in enumerate(shares) if len(share)]
    loaded = batches(samples, [parts[k][share].tolist() for k, share in wanted], workers)
    total = torch.zeros(2, dtype=torch.float64, device=processes.device)
    for (k, share), arrays in zip(wanted, loaded, strict=True):
        batch = prepare(arrays)
        drawn = draw(objective.policy.config, len(parts[k]), 1, seed, k, HELD_OUT_STREAM)
        drawn = drawn.part(slice(int(share[0]), int(share[-1]) + 1)).to(processes.device)
        total += torch.stack([objective(batch, drawn)[0].double(), objective.elements(batch, drawn).double()])
    loss, elements = processes.sum(total).tolist()
    return loss / max(elements, 1.0)
