"""One process, or several by Hugging Face Accelerate (`accelerate launch -m smolvla_ros.cli train ...`)."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from smolvla_ros.training.errors import TrainingError


class Processes(Protocol):
    """index: of this process among `count`. Every method is called by all of them alike."""

    index: int
    count: int
    device: torch.device

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are averaged over the processes as they are computed."""

    def without_averaging(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Around all backward passes of a step but the last."""

    def sum(self, value: Tensor) -> Tensor:
        """Over the processes."""

    def wait(self) -> None:
        """Until all are here."""


class OneProcess:
    """The one that runs, on `device`."""

    index, count = 0, 1

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)

    def prepare(self, module: nn.Module) -> nn.Module:
        return module

    def without_averaging(self, module: nn.Module) -> AbstractContextManager[Any]:
        return nullcontext()

    def sum(self, value: Tensor) -> Tensor:
        return value

    def wait(self) -> None:
        pass


class AcceleratedProcesses:
    """As Accelerate's launcher started them."""

    def __init__(self, device: str) -> None:
        """device: "cpu" keeps all on processors. Raises TrainingError where Accelerate is not installed."""
        try:
            from accelerate import Accelerator
        except ImportError:
            raise TrainingError(
                "several processes: expected Hugging Face Accelerate, found none; pip install accelerate"
            ) from None
        self._accelerator = Accelerator(cpu=device == "cpu")
        self.index, self.count = self._accelerator.process_index, self._accelerator.num_processes
        self.device = self._accelerator.device

    def prepare(self, module: nn.Module) -> nn.Module:
        return self._accelerator.prepare_model(module)

    def without_averaging(self, module: nn.Module) -> AbstractContextManager[Any]:
        return self._accelerator.no_sync(module)

    def sum(self, value: Tensor) -> Tensor:
        return self._accelerator.reduce(value, reduction="sum")  # type: ignore[return-value]

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()


def started_processes(device: str) -> Processes:
    """Those that a launcher started with this one; without a launcher, this one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return AcceleratedProcesses(device)
    return OneProcess(device)
