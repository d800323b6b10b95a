"""Real-time chunking (arXiv 2506.07339): a new chunk that goes on from the one that is being executed.

While a chunk is computed the arm moves on along the previous one. Its first rows are then frozen, and each denoising
step is steered so that the new chunk agrees with them, and less and less with the rows after them.

Flow time t runs from 1, noise, to 0, actions; the paper's tau is 1 - t, and its velocities are ours negated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

SCHEDULES = ("linear", "exp", "ones", "zeros")
JACOBIANS = ("identity", "full")


@dataclass(frozen=True)
class Guidance:
    """What a new chunk is held to.

    previous: (batch or 1, rows, width), the rest of the previous chunk in the model's normalised space; row k is for
    the same moment as row k of the new chunk. Columns that it lacks count as zeros, as in training.
    delay: rows that will be executed whatever comes out. horizon: rows that are steered at all; at most those of
    `previous`, since a row that was never planned says nothing.
    schedule: how the weight falls from 1 at row `delay` to 0 at row `horizon`: linear or exp; ones stays 1 up to the
    horizon, zeros falls at once.
    max_weight: limit of the guidance weight; above num_steps a step goes past what it aims at.
    jacobian: full is the paper's, by a backward pass through the model in each step; identity leaves it out, which is
    what LeRobot 0.6 computes, at no cost.
    """

    previous: Tensor
    delay: int
    horizon: int = 10
    schedule: str = "linear"
    max_weight: float = 10.0
    jacobian: str = "identity"

    def __post_init__(self) -> None:
        checks = (
            ("previous", self.previous.ndim == 3, "(batch, rows, width)", tuple(self.previous.shape)),
            ("delay", self.delay >= 0, "0 or more rows", self.delay),
            ("horizon", self.horizon >= 0, "0 or more rows", self.horizon),
            ("schedule", self.schedule in SCHEDULES, "one of " + ", ".join(SCHEDULES), self.schedule),
            ("max_weight", self.max_weight > 0, "a number above 0", self.max_weight),
            ("jacobian", self.jacobian in JACOBIANS, "one of " + ", ".join(JACOBIANS), self.jacobian),
        )
        for name, sound, expected, found in checks:
            if not sound:
                raise ValueError(f"guidance {name}: expected {expected}, found {found}")

    @property
    def frozen(self) -> Tensor:
        """The rows that will be executed whatever comes out, (batch or 1, up to delay, width)."""
        return self.previous[:, : self.delay]


def prefix_weights(delay: int, horizon: int, chunk: int, schedule: str) -> Tensor:
    """(chunk,) in [0, 1]: 1 for rows before `delay`, 0 from `horizon` on, by the schedule between.

    The paper's soft mask is exp.
    """
    horizon = min(horizon, chunk)
    delay = min(delay, horizon)
    weights = torch.zeros(chunk)
    weights[:delay] = 1.0
    between = torch.linspace(1.0, 0.0, horizon - delay + 2)[1:-1]
    if schedule == "linear":
        weights[delay:horizon] = between
    elif schedule == "exp":
        weights[delay:horizon] = between * torch.expm1(between) / (math.e - 1)
    elif schedule == "ones":
        weights[delay:horizon] = 1.0
    return weights


def guidance_weight(time: float, max_weight: float) -> float:
    """min(max_weight, (1 - tau) / (tau r^2)) with r^2 = (1 - tau)^2 / (tau^2 + (1 - tau)^2) and tau = 1 - time."""
    tau = 1.0 - time
    if tau <= 0.0 or time <= 0.0:
        return max_weight
    return min(max_weight, (tau**2 + time**2) / (tau * time))


@dataclass(frozen=True)
class Denoised:
    """One step's outcome: the velocity to go on with, and the chunk as it would be if this were the last step."""

    velocity: Tensor
    actions: Tensor


def guided_velocity(
    velocity: Callable[[Tensor], Tensor],
    x_t: Tensor,
    time: float,
    guidance: Guidance | Sequence[Guidance | None] | None,
) -> Denoised:
    """The velocity at x_t (batch, chunk, width), turned so that the chunk it leads to agrees with the previous one.

    guidance: one for all samples, or one for each, None where a sample has no previous chunk.
    Raises ValueError where the full Jacobian is asked of a model through which no gradient flows.
    """
    held = [guidance] if guidance is None or isinstance(guidance, Guidance) else list(guidance)
    if not any(held):
        plain = velocity(x_t)
        return Denoised(plain, x_t - time * plain)
    if needs_gradients(held):
        plain, pullback = _with_pullback(velocity, x_t)
    else:
        plain, pullback = velocity(x_t), None
    actions = x_t - time * plain
    samples = [actions] if len(held) == 1 else actions.split(1)
    error = torch.cat([_disagreement(each, sample) for each, sample in zip(held, samples, strict=True)])
    weights = [0.0 if each is None else guidance_weight(time, each.max_weight) for each in held]
    correction = error if pullback is None else error - time * pullback(error)
    return Denoised(plain - torch.tensor(weights).to(x_t)[:, None, None] * correction, actions + error)


def needs_gradients(guidance: Sequence[Guidance | None]) -> bool:
    """Whether any of them asks for the full Jacobian."""
    return any(each is not None and each.jacobian == "full" for each in guidance)


def _disagreement(guidance: Guidance | None, actions: Tensor) -> Tensor:
    """What the chunk (batch, chunk, width) lacks to the previous one, as far as it is held to it."""
    if guidance is None:
        return torch.zeros_like(actions)
    rows = min(guidance.previous.shape[1], actions.shape[1])
    target = torch.zeros_like(actions)
    target[:, :rows, : guidance.previous.shape[2]] = guidance.previous[:, :rows].to(actions)
    weights = prefix_weights(guidance.delay, min(guidance.horizon, rows), actions.shape[1], guidance.schedule)
    return (target - actions) * weights.to(actions)[:, None]


def differentiable(value: Any) -> Any:
    """A memory made in torch's inference mode, copied so that a backward pass may read it."""
    if isinstance(value, Tensor):
        with torch.inference_mode(False):
            return value.clone() if value.is_inference() else value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: differentiable(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, list | tuple):
        return type(value)(differentiable(item) for item in value)
    return value


def _with_pullback(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """function(x), and the vector-Jacobian product there: cotangent -> cotangent @ d function / d x."""
    with torch.inference_mode(False), torch.enable_grad():
        source = x.clone().detach().requires_grad_()
        result = function(source)
        if not result.requires_grad:
            raise ValueError(
                "guidance jacobian: expected a model through which gradients flow for 'full', found an engine "
                "without them; use the torch engine, or 'identity'"
            )

    def pullback(cotangent: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            return torch.autograd.grad(result, source, cotangent.clone())[0]

    return result.detach(), pullback
