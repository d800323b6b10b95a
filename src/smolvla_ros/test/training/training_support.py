from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.random_checkpoint import new_checkpoint
from smolvla_ros.training.samples import ArraySamples
from smolvla_ros.training.settings import TrainingSettings
from smolvla_ros.training.trainer import Trainer

CHUNK, JOINTS, SIDE, COUNT = 6, 3, 32, 20
CAMERAS = ("observation.images.top", "observation.images.wrist")
SHAPE = {
    "vision": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    | {"image_size": SIDE, "patch_size": 8},
    "text": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    | {"num_key_value_heads": 2, "head_dim": 8},
}


def made_checkpoint(seed: int = 0, **policy: Any) -> Checkpoint:
    """A quarter of a million parameters: two cameras, three joints."""
    values = {"mean": np.zeros(JOINTS), "std": np.full(JOINTS, 20.0), "min": np.full(JOINTS, -60.0)}
    import torch

    statistics = {name: torch.from_numpy(value).float() for name, value in values.items()}
    statistics |= {"max": -statistics["min"]}
    return new_checkpoint(
        SHAPE,
        dict.fromkeys(CAMERAS, (24, 32)),
        {"observation.state": statistics, "action": statistics},
        seed,
        {"chunk_size": CHUNK, "n_action_steps": CHUNK, "num_vlm_layers": 3, **policy},
    )


def made_arrays(seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        **{name: random.integers(0, 256, (COUNT, 24, 32, 3), dtype=np.uint8) for name in CAMERAS},
        "observation.state": random.normal(0, 20, (COUNT, JOINTS)).astype(np.float32),
        "action": random.normal(0, 20, (COUNT, CHUNK, JOINTS)).astype(np.float32),
        "action_is_pad": np.arange(CHUNK) >= random.integers(2, CHUNK + 1, COUNT)[:, None],
    }


TASKS = [("pick up the pen", "put the red cube in the blue box")[i % 2] for i in range(COUNT)]


@pytest.fixture
def samples() -> ArraySamples:
    return ArraySamples(made_arrays(), TASKS)


MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def make_trainer(tmp_path: Path, samples: ArraySamples) -> MakeTrainer:
    """A trainer of the made checkpoint and samples: settings by name, other arguments under `given`."""

    def make(output: str = "run", given: dict[str, Any] | None = None, **settings: Any) -> Trainer:
        few = {"steps": 4, "batch_size": 4, "seed": 3, "learning_rate": 1e-3, "train": "all"}
        few |= {"freeze_vision_encoder": False}
        arguments = {"stream": None, **(given or {})}
        checkpoint = arguments.pop("checkpoint", None) or made_checkpoint()
        data = arguments.pop("samples", samples)
        return Trainer(checkpoint, data, TrainingSettings(**{**few, **settings}), tmp_path / output, **arguments)

    return make
