"""What a run is told. Defaults are LeRobot's preset for SmolVLA; a field means what LeRobot's of that name means."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

from smolvla_ros.training.errors import mismatch

EXPERT, BACKBONE, ALL, LORA = "expert", "backbone", "all", "lora"
TRAINED = (EXPERT, BACKBONE, ALL, LORA)
DTYPES = ("float32", "bfloat16")
DECIDES_THE_COURSE = ("batch_size", "seed", "train", "freeze_vision_encoder", "train_state_proj", "noise_draws")
"""A run that is resumed must have these as it began."""


@dataclass(frozen=True)
class TrainingSettings:
    """batch_size: samples a step, of all processes and pieces together. accumulate: pieces of it, one after another.

    train: "expert" (action expert and projections), "backbone" too (but for its last layer, as LeRobot without
    train_expert_only), "all" that the output depends on, or "lora". noise_draws: noises and times for each sample, on
    one pass over its prefix. ema_decay: 0 for none. dtype: of the computation; trained weights are float32 always.
    validation_share: of the episodes, held out. save_every, validate_every: 0 for at the end alone. keep: newest
    checkpoints that stay, with the best. workers: processes that read ahead.
    """

    steps: int = 20_000
    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-4
    decay_learning_rate: float = 2.5e-6
    warmup_steps: int = 1_000
    decay_steps: int = 30_000
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 1e-10
    grad_clip_norm: float = 10.0
    seed: int = 1000
    train: str = EXPERT
    freeze_vision_encoder: bool = True
    train_state_proj: bool = True
    lora_rank: int = 16
    lora_alpha: float = 16.0
    noise_draws: int = 1
    ema_decay: float = 0.0
    dtype: str = "float32"
    compile: bool = False
    augment: bool = False
    validation_share: float = 0.0
    validate_every: int = 0
    save_every: int = 0
    keep: int = 2
    log_every: int = 50
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "noise_draws", "decay_steps", "keep", "log_every"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("warmup_steps", "seed", "workers", "save_every", "validate_every", "weight_decay"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("learning_rate", "grad_clip_norm", "lora_rank", "lora_alpha", "epsilon"):
            self._require(name, getattr(self, name) > 0, "a number above 0")
        for name in ("beta1", "beta2", "ema_decay", "validation_share"):
            self._require(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        self._require("decay_learning_rate", 0 <= self.decay_learning_rate <= self.learning_rate, "up to learning_rate")
        self._require("train", self.train in TRAINED, f"one of {', '.join(TRAINED)}")
        self._require("dtype", self.dtype in DTYPES, f"one of {', '.join(DTYPES)}")
        self._require(
            "accumulate", self.batch_size % self.accumulate == 0, f"a divisor of batch_size {self.batch_size}"
        )

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise mismatch(name, expected, getattr(self, name), "correct it")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def settings_from(values: Mapping[str, Any], where: str) -> TrainingSettings:
    """Of a file's section. Raises TrainingError: an unknown name, a value of another type or out of range."""
    hints, known = get_type_hints(TrainingSettings), {f.name for f in fields(TrainingSettings)}
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise mismatch(f"{where}: {name}", f"one of {', '.join(sorted(known))}", "no such setting", "correct it")
        expected = hints[name]
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if expected is float and isinstance(value, str):  # YAML reads 1e-4 as a text
            with suppress(ValueError):
                value = float(value)
        if type(value) is not expected:
            raise mismatch(f"{where}: {name}", f"a value of type {expected.__name__}", repr(value), "correct it")
        checked[name] = value
    return TrainingSettings(**checked)
