"""The run: batch by batch through objective and optimiser, with checkpoints on the way.

    trainer = Trainer(checkpoint, samples, TrainingSettings(steps=1000), Path("out/run"))
    trainer.run()

The result does not depend on the number of processes or of pieces that a batch is divided into, nor on interruptions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor, nn

from smolvla_ros.engines.training import training_layers
from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.weights import read_lm_head
from smolvla_ros.training.average import Average
from smolvla_ros.training.curves import Curves
from smolvla_ros.training.draws import Draws, draw
from smolvla_ros.training.errors import TrainingError, mismatch
from smolvla_ros.training.held_out import held_out_loss
from smolvla_ros.training.low_rank import add_low_rank
from smolvla_ros.training.objective import Objective
from smolvla_ros.training.order import Order
from smolvla_ros.training.parameters import choose_parameters, trained
from smolvla_ros.training.preparation import Preparation
from smolvla_ros.training.processes import Processes, started_processes
from smolvla_ros.training.progress import TrainingProgress
from smolvla_ros.training.run_folder import MODEL, STATE, RunFolder, step_of
from smolvla_ros.training.samples import Samples, batches
from smolvla_ros.training.saving import save_model
from smolvla_ros.training.schedule import learning_rate
from smolvla_ros.training.settings import LORA, TrainingSettings
from smolvla_ros.training.training_state import load_state, save_state

STEP_DIGITS = 6


@dataclass(frozen=True)
class StepResult:
    """loss and auxiliary_loss are scalars on the device, of the whole batch; grad_norm before clipping."""

    loss: Tensor
    auxiliary_loss: Tensor
    grad_norm: Tensor


class Trainer:
    """Changes the checkpoint's model in place."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        samples: Samples,
        settings: TrainingSettings,
        output: Path,
        held_out: Samples | None = None,
        sampling_weights: np.ndarray | None = None,
        auxiliary: nn.Module | None = None,
        device: str = "cpu",
        embodiment: Path | None = None,
        wandb_project: str = "",
        stream: TextIO | None = sys.stderr,
    ) -> None:
        """sampling_weights (samples,): how often each is drawn. auxiliary: see objective.Auxiliary. embodiment: the
        robot's file, saved with each checkpoint. stream: for progress. Raises TrainingError.
        """
        # of the files it was loaded from nothing is read later: they may be an older checkpoint of this very run
        self._checkpoint, self._samples, self._held_out = replace(checkpoint, weights=None), samples, held_out
        self._settings, self._embodiment, self._wandb = settings, embodiment, wandb_project
        self._processes: Processes = started_processes(device)
        self._stream = stream if self._processes.index == 0 else None
        self._folder = RunFolder(output)
        share, rest = divmod(settings.batch_size, self._processes.count * settings.accumulate)
        if rest or not share:
            divisor = f"a multiple of {self._processes.count} processes x {settings.accumulate} pieces"
            raise mismatch("batch_size", divisor, settings.batch_size, "correct one of them")
        self._order = Order(len(samples), settings.batch_size, settings.seed, sampling_weights)
        if settings.train == LORA:
            if checkpoint.path is None:
                raise mismatch("lora", "a checkpoint in a folder, or of the hub", "one in memory", "save it first")
            add_low_rank(checkpoint.model, settings.lora_rank, settings.lora_alpha, settings.seed)
        else:
            choose_parameters(checkpoint.model, settings)
        embeddings = checkpoint.model.model.backbone.text_model.embed_tokens.weight
        kept = checkpoint.weights if not embeddings.requires_grad else None
        self._lm_head = read_lm_head(kept) if kept else None
        self._place(checkpoint.model)
        policy = checkpoint.model.to(self._processes.device)
        layers = None if settings.compile else training_layers(policy.model)
        self._objective = Objective(policy, auxiliary, layers).to(self._processes.device)
        self._parameters = trained(self._objective)
        self.optimizer = torch.optim.AdamW(
            self._parameters.values(),
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        learned = trained(checkpoint.model)
        own = {f"policy.{name}": parameter for name, parameter in learned.items()}
        self._average = Average(own, settings.ema_decay) if settings.ema_decay else None
        self._prepare = Preparation(checkpoint, self._processes.device, settings)
        module: nn.Module = self._objective
        if settings.compile:
            module = torch.compile(module)  # type: ignore[assignment]
        self._module = self._processes.prepare(module)

    @property
    def parameter_count(self) -> tuple[int, int]:
        """Of the policy: those that learn, and all."""
        everything = list(self._checkpoint.model.parameters())
        return sum(p.numel() for p in everything if p.requires_grad), sum(p.numel() for p in everything)

    def run(self, resume: bool = False, after_step: Callable[[int], None] | None = None) -> Path:
        """Returns the last checkpoint's folder. resume: from the last whole checkpoint, from the beginning if none is.

        after_step is called with the number of steps done, after each. Raises TrainingError: not a new folder, or, to
        resume, one of another run; a loss that is not finite; no space.
        """
        settings, main = self._settings, self._processes.index == 0
        first, last = 0, self._folder.last
        if resume and last:
            first = step_of(last)
            load_state(last / STATE, settings, len(self._samples), self._parameters, self.optimizer, self._average)
        elif main and not resume:
            self._folder.require_new()
        self._processes.wait()
        if main:
            self._folder.require_space(self._needed_bytes())
        curves = Curves(self._folder, first, self._wandb) if main else None
        progress = TrainingProgress(first, settings.steps, self._stream)
        try:
            self._loop(first, curves, progress, after_step)
        finally:
            progress.close()
            if curves:
                curves.close()
        last = self._folder.last
        assert last is not None
        return last

    def _loop(
        self, first: int, curves: Curves | None, progress: TrainingProgress, after_step: Callable[[int], None] | None
    ) -> None:
        settings = self._settings
        points: list[StepResult] = []
        spent_s, mark_s = 0.0, time.perf_counter()
        for step, arrays in zip(range(first, settings.steps), self._batches(first), strict=True):
            points.append(self.step(step, arrays))
            spent_s += time.perf_counter() - mark_s
            done, ends = step + 1, step + 1 == settings.steps
            progress.step()
            if done % settings.log_every == 0 or ends:
                values = self._point(step, points, spent_s)
                spent_s, points = 0.0, []
                if curves:
                    curves.add(done, values)
                progress.point(done, values["loss"], values["samples_per_s"])
            saves = ends or _due(done, settings.save_every)
            looks = self._held_out is not None and (saves or _due(done, settings.validate_every))
            loss = self._look(done, curves, progress) if looks else None
            if saves:
                self._save(done, loss, progress)
            if after_step:
                after_step(done)
            mark_s = time.perf_counter()

    def step(self, step: int, arrays: dict[str, Any]) -> StepResult:
        """One step on this process's share of the batch, as `samples` gave it."""
        settings, processes = self._settings, self._processes
        share = settings.batch_size // processes.count
        start = share * processes.index
        draws = draw(self._checkpoint.config, settings.batch_size, settings.noise_draws, settings.seed, step)
        return self.learn(step, self._prepare(arrays, step, start), draws.part(slice(start, start + share)))

    def learn(self, step: int, batch: dict[str, Tensor], draws: Draws) -> StepResult:
        """The step's gradients and what the optimiser makes of them: a prepared batch and its draws."""
        settings, processes = self._settings, self._processes
        draws = draws.to(processes.device)
        elements = processes.sum(self._objective.elements(batch, draws))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        piece = len(draws.time) // settings.accumulate
        losses = torch.zeros(2, device=processes.device)
        for k in range(settings.accumulate):
            part = slice(k * piece, (k + 1) * piece)
            last = k + 1 == settings.accumulate
            with nullcontext() if last else processes.without_averaging(self._module):
                with self._computation():
                    total, other = self._module(_part(batch, part), draws.part(part))
                loss, auxiliary = total / elements.clamp_min(1), other / settings.batch_size
                ((loss + auxiliary) * processes.count).backward()
            losses += torch.stack([loss.detach(), auxiliary.detach()])
        norm = nn.utils.clip_grad_norm_(self._parameters.values(), settings.grad_clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self._average:
            self._average.update(step + 1)
        return StepResult(losses[0], losses[1], norm)

    def held_out_loss(self) -> float:
        """Of the averaged weights, where there is an average. Raises TrainingError where nothing is held out."""
        if self._held_out is None:
            raise TrainingError("held-out loss: expected held-out samples, found none; hold some episodes out")
        with self._computation(), self._average.in_place() if self._average else nullcontext():
            return held_out_loss(
                self._objective,
                self._held_out,
                self._prepare,
                self._processes,
                self._settings.batch_size,
                self._settings.seed,
                self._settings.workers,
            )

    def _batches(self, first: int) -> Iterator[dict[str, Any]]:
        share = self._settings.batch_size // self._processes.count
        start = share * self._processes.index

        def rows() -> Iterator[list[int]]:
            for step in range(first, self._settings.steps):
                yield self._order.rows(step)[start : start + share].tolist()

        return batches(self._samples, rows(), self._settings.workers)

    def _point(self, step: int, points: list[StepResult], seconds: float) -> dict[str, float]:
        sums = torch.stack([torch.stack([p.loss, p.auxiliary_loss]) for p in points]).mean(dim=0)
        loss, auxiliary = self._processes.sum(sums).tolist()
        norm = torch.stack([p.grad_norm for p in points]).mean().item()
        if not np.isfinite(loss) or not np.isfinite(norm):
            last = self._folder.last
            raise mismatch(
                f"loss by step {step + 1}",
                "a finite number",
                loss,
                f"lower learning_rate, look at the dataset with `smolvla dataset check`; the last checkpoint is {last}",
            )
        values = {
            "loss": loss,
            "learning_rate": learning_rate(step, self._settings),
            "grad_norm": norm,
            "samples_per_s": len(points) * self._settings.batch_size / seconds,
        }
        return {**values, "auxiliary_loss": auxiliary} if self._objective.auxiliary is not None else values

    def _look(self, done: int, curves: Curves | None, progress: TrainingProgress) -> float:
        loss = self.held_out_loss()
        if curves:
            curves.add(done, {"held_out_loss": loss})
        progress.say(f"step {done}: held-out loss {loss:.4f}")
        return loss

    def _save(self, done: int, loss: float | None, progress: TrainingProgress) -> None:
        if self._processes.index == 0:

            def write(folder: Path) -> None:
                with self._average.in_place() if self._average else nullcontext():
                    save_model(self._checkpoint, self._settings, folder / MODEL, self._embodiment, self._lm_head)
                count = len(self._samples)
                save_state(folder / STATE, self._settings, count, self._parameters, self.optimizer, self._average)

            width = max(STEP_DIGITS, len(str(self._settings.steps)))
            target = self._folder.save(done, width, write, loss, self._settings.keep)
            progress.say(f"step {done}: saved {target}")
        self._processes.wait()

    def _place(self, model: nn.Module) -> None:
        """Trained weights in float32; what is frozen in the type of the computation, half the memory in bfloat16."""
        frozen = getattr(torch, self._settings.dtype)
        for parameter in model.parameters():
            parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad else frozen)

    def _computation(self) -> Any:
        if self._settings.dtype == "float32":
            return nullcontext()
        return torch.autocast(self._processes.device.type, getattr(torch, self._settings.dtype))

    def _needed_bytes(self) -> int:
        learn, everything = self.parameter_count
        return 4 * everything + learn * 4 * (3 + bool(self._average))


def _due(done: int, every: int) -> bool:
    return every > 0 and done % every == 0


def _part(batch: dict[str, Tensor], part: slice) -> dict[str, Tensor]:
    return {name: value[part] for name, value in batch.items()}
