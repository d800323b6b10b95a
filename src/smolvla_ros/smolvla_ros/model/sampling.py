"""Euler's method from noise at time 1 to actions at time 0, in equal steps, with a deadline if there is one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import torch
from torch import Tensor

from smolvla_ros.model.real_time_chunking import Denoised


@dataclass(frozen=True)
class Sampled:
    """actions (batch, chunk, width), and the denoising steps that were done."""

    actions: Tensor
    steps: int


def flow_times(num_steps: int) -> list[float]:
    """The times at which velocities are taken: 1, 1 - 1/n, ..., 1/n."""
    step = -1.0 / num_steps
    return [1.0 + k * step for k in range(num_steps)]


def euler(
    denoise: Callable[[Tensor, int], Denoised],
    noise: Tensor,
    num_steps: int,
    deadline_s: float = math.inf,
    clock: Callable[[], float] = monotonic,
) -> Sampled:
    """denoise(x_t, k) is asked for the velocity at flow_times(num_steps)[k].

    deadline_s, by `clock`: where the next step would end after it, taking as long as the slowest so far, the rest of
    the way is gone at once along the last velocity. The first step is always done.
    """
    x_t, slowest_s = noise, 0.0
    now_s = clock() if math.isfinite(deadline_s) else 0.0
    for k in range(num_steps):
        denoised = denoise(x_t, k)
        if math.isfinite(deadline_s) and k + 1 < num_steps:
            if x_t.is_cuda:
                torch.cuda.synchronize(x_t.device)  # queued work is not done work
            before_s, now_s = now_s, clock()
            slowest_s = max(slowest_s, now_s - before_s)
            if now_s + slowest_s > deadline_s:
                return Sampled(denoised.actions, k + 1)
        x_t = x_t - (1.0 / num_steps) * denoised.velocity
    return Sampled(x_t, num_steps)
