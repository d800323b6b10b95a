"""The same steps here and in LeRobot: one batch, the same noise and times, both with their own optimiser."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.peer_run import INSTRUCTION, run_in_peer
from smolvla_ros.training.draws import Draws
from smolvla_ros.training.feature_cache import FEATURES
from smolvla_ros.training.preparation import Preparation
from smolvla_ros.training.samples import ArraySamples
from smolvla_ros.training.settings import TrainingSettings
from smolvla_ros.training.trainer import Trainer

PEER_SCRIPT = Path(__file__).with_name("lerobot_training_peer.py")
FRAME = (480, 640)
INSTRUCTIONS = (INSTRUCTION, "pick up the pen")


@dataclass(frozen=True)
class Steps:
    """arrays: as the peer's input. losses, seconds (steps,). gradients of the first step, weights at the end."""

    losses: np.ndarray
    seconds: np.ndarray
    gradients: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


def random_batch(checkpoint: Checkpoint, batch: int, steps: int, seed: int) -> dict[str, Any]:
    """Frames of 480 x 640, states and actions about the statistics' centre, the ends of some chunks padding."""
    random, config = np.random.default_rng(seed), checkpoint.config
    centre, spread = (values.numpy() for values in checkpoint.processors.action.centre_and_spread())
    shape = (batch, config.chunk_size, config.action_dim)
    pads = random.integers(config.chunk_size // 2, config.chunk_size + 1, batch)
    noise = random.standard_normal((steps, batch, config.chunk_size, config.max_action_dim))
    return {
        **{f"images.{name}": random.random((batch, 3, *FRAME), dtype=np.float32) for name in config.camera_features},
        "state": (centre + spread * random.standard_normal((batch, config.state_dim))).astype(np.float32),
        "action": (centre + spread * random.standard_normal(shape)).astype(np.float32),
        "action_is_pad": np.arange(config.chunk_size) >= pads[:, None],
        "task": np.array([INSTRUCTIONS[i % len(INSTRUCTIONS)] for i in range(batch)]),
        "noise": noise.astype(np.float32),
        "time": random.uniform(0.001, 1.0, (steps, batch)).astype(np.float32),
    }


def steps_here(
    checkpoint: Checkpoint, arrays: dict[str, Any], work: Path, cached: bool = False, **settings: Any
) -> Steps:
    """With LeRobot's settings but for those given. Changes the checkpoint's model.

    cached: with image tokens found before, as from a feature cache.
    """
    steps, batch = arrays["time"].shape
    tasks = arrays["task"].tolist()
    told = TrainingSettings(steps=steps, batch_size=batch, **settings)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(checkpoint, ArraySamples({}, tasks), told, work, device=device, stream=None)
    images = {name.removeprefix("images."): value for name, value in arrays.items() if name.startswith("images.")}
    given = {**images, "observation.state": arrays["state"], "action": arrays["action"]}
    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    tensors["action_is_pad"] = torch.from_numpy(arrays["action_is_pad"])
    prepared = Preparation(checkpoint, torch.device(device))({**tensors, "task": tasks})
    if cached:
        flow, config = checkpoint.model.model, checkpoint.config
        with torch.no_grad():
            tokens = flow.embed_cameras(model_inputs(prepared, config))
        named = zip(config.camera_features, tokens, strict=True)
        found = {f"{FEATURES}{name}": rows for name, rows in named if rows is not None}
        prepared = {name: value for name, value in prepared.items() if name not in images} | found
    losses, seconds = [], []
    gradients: dict[str, np.ndarray] = {}

    def keep(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not gradients:
            for name, parameter in checkpoint.model.named_parameters():
                if parameter.grad is not None:
                    gradients[name] = parameter.grad.cpu().numpy().copy()

    trainer.optimizer.register_step_pre_hook(keep)
    for k in range(steps):
        noise, times = torch.from_numpy(arrays["noise"][k]), torch.from_numpy(arrays["time"][k])
        draws = Draws(noise[:, None], times[:, None], torch.zeros(batch, 1, dtype=torch.int64))
        started = time.perf_counter()
        losses.append(trainer.learn(k, dict(prepared), draws).loss.item())
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    trained = {name: p.detach().cpu().numpy() for name, p in checkpoint.model.named_parameters() if p.requires_grad}
    return Steps(np.array(losses), np.array(seconds), gradients, trained)


def steps_of_peer(python: Path, folder: Path, arrays: dict[str, Any], work: Path, gradients: bool) -> Steps:
    """LeRobot's, on the checkpoint in `folder`. Raises PeerError."""
    work.mkdir(parents=True, exist_ok=True)
    source, target = work / "input.npz", work / "output.npz"
    np.savez(source, **arrays)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    command = [str(python), str(PEER_SCRIPT), str(folder), str(source), str(target), "--device", device]
    command += ["--threads", str(torch.get_num_threads())] + (["--gradients"] if gradients else [])
    run_in_peer(python, command)
    found = dict(np.load(target, allow_pickle=False))

    def named(start: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(start): array for name, array in found.items() if name.startswith(start)}

    return Steps(found["losses"], found["seconds"], named("gradient."), named("weight."))
