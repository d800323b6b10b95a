"""Where the curves go: metrics.jsonl always, TensorBoard where it is installed, Weights & Biases if asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.run_folder import RunFolder

TENSORBOARD_FOLDER = "tensorboard"


class Curves:
    """Points of a run; nothing is written before the first."""

    def __init__(self, folder: RunFolder, first_step: int, wandb_project: str = "") -> None:
        """first_step: what is drawn from there on is made anew. Raises TrainingError where W&B is not installed."""
        if wandb_project and not find_spec("wandb"):
            raise mismatch(
                "Weights & Biases", "the package wandb", "none", "pip install wandb, or leave the option out"
            )
        self._folder, self._board, self._wandb = folder, None, None
        folder.forget_after(first_step)
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            board = folder.path / TENSORBOARD_FOLDER
            self._board = SummaryWriter(str(board), purge_step=first_step + 1)  # type: ignore[no-untyped-call]
        if wandb_project:
            import wandb

            name = folder.path.resolve().name
            self._wandb = wandb.init(project=wandb_project, name=name, id=name, resume="allow", dir=folder.path)

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        self._folder.log({"step": step, **values})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)  # type: ignore[no-untyped-call]
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()  # type: ignore[no-untyped-call]
        if self._wandb is not None:
            self._wandb.finish()
