"""A run's folder, laid out as LeRobot's:

    OUTPUT/checkpoints/005000/pretrained_model    a checkpoint in the public layout
    OUTPUT/checkpoints/005000/training_state      what going on from there needs
    OUTPUT/checkpoints/last, best                 links to one of them; best by held-out loss
    OUTPUT/metrics.jsonl                          a line for each point of the curves

A checkpoint is there whole or not at all, whatever happens while it is written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from smolvla_ros.data.whole_file import whole_folder
from smolvla_ros.training.errors import TrainingError, mismatch

CHECKPOINTS, LAST, BEST = "checkpoints", "last", "best"
MODEL, STATE = "pretrained_model", "training_state"
STEP_FILE, METRICS_FILE = "training_step.json", "metrics.jsonl"
RESUME = "free some space and go on with --resume"


class RunFolder:
    """Written by one process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def require_new(self) -> None:
        """Raises TrainingError where there is something already."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            remedy = "name another, or go on with what is there by --resume"
            raise mismatch(self.path, "a new or an empty folder", "files", remedy)

    def require_space(self, needed_bytes: int) -> None:
        """Raises TrainingError where not even one checkpoint would fit."""
        self.path.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.path).free
        if free < needed_bytes:
            raise mismatch(
                self.path,
                f"{needed_bytes / 1e9:.2f} GB free for a checkpoint",
                f"{free / 1e9:.2f} GB",
                "free some space",
            )

    @property
    def last(self) -> Path | None:
        """The newest whole checkpoint, None where there is none yet."""
        found = self._whole()
        return found[-1] if found else None

    def save(
        self, step: int, width: int, write: Callable[[Path], None], held_out_loss: float | None, keep: int
    ) -> Path:
        """A checkpoint that `write` fills, unless this step's is there; older ones go, but for `keep` and the best.

        width: digits of the name. Raises TrainingError where it cannot be written; those before stand.
        """
        target = self.path / CHECKPOINTS / f"{step:0{width}d}"
        if not target.exists():
            try:
                with whole_folder(target) as folder:
                    write(folder)
                    about = {"step": step, "held_out_loss": held_out_loss}
                    (folder / STATE / STEP_FILE).write_text(json.dumps(about) + "\n")
            except (OSError, SafetensorError) as error:
                stands = f"{self.last} is whole" if self.last else "there is none before it"
                raise TrainingError(
                    f"{target}: expected to write the checkpoint of step {step}, found: {error}; {stands}: {RESUME}"
                ) from error
        self._link(LAST, target)
        best = self.best_loss
        if held_out_loss is not None and (best is None or held_out_loss < best):
            self._link(BEST, target)
        self._remove_old(keep)
        return target

    @property
    def best_loss(self) -> float | None:
        best = self.path / CHECKPOINTS / BEST
        return held_out_loss_of(best) if best.exists() else None

    def log(self, point: Mapping[str, Any]) -> None:
        with (self.path / METRICS_FILE).open("a") as file:
            file.write(json.dumps(dict(point)) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops points of the curves that a run which goes on from `step` will make anew."""
        path = self.path / METRICS_FILE
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step]
            path.write_text("".join(f"{line}\n" for line in lines))

    def _whole(self) -> list[Path]:
        folders = (self.path / CHECKPOINTS).glob("[0-9]*")
        return sorted(folder for folder in folders if (folder / STATE / STEP_FILE).is_file() and folder.name.isdigit())

    def _link(self, name: str, target: Path) -> None:
        beside = target.with_name(f".{name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(target.name)
        beside.replace(target.with_name(name))

    def _remove_old(self, keep: int) -> None:
        best = self.path / CHECKPOINTS / BEST
        kept = {best.resolve()} if best.exists() else set()
        for folder in self._whole()[:-keep]:
            if folder.resolve() not in kept:
                shutil.rmtree(folder)


def step_of(checkpoint: Path) -> int:
    """Steps done when it was saved."""
    return int(json.loads((checkpoint / STATE / STEP_FILE).read_text())["step"])


def held_out_loss_of(checkpoint: Path) -> float | None:
    return json.loads((checkpoint / STATE / STEP_FILE).read_text())["held_out_loss"]
