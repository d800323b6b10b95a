"""One observation run here and in LeRobot, on the same checkpoint's files."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS
from smolvla_ros.model.real_time_chunking import Guidance

PEER_SCRIPT = Path(__file__).with_name("lerobot_peer.py")
GUIDANCE_SETTINGS = ("delay", "horizon", "schedule", "max_weight")
INSTRUCTION = "put the red cube in the blue box, then close the gripper"


class PeerError(RuntimeError):
    """LeRobot did not run. The message holds the end of what it said."""


@dataclass(frozen=True)
class Sample:
    """One observation as arrays, or several of one size.

    images: feature -> ([batch,] 3, H, W) in [0, 1]; masks: feature -> (batch,) bool, false where a sample lacks it.
    state ([batch,] joints) in the robot's units; instruction one text, or one a sample; noise (batch, chunk, width).
    """

    images: dict[str, np.ndarray]
    state: np.ndarray
    instruction: str | tuple[str, ...]
    noise: np.ndarray
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    guidance: Guidance | None = None

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {f"images.{name}": image for name, image in self.images.items()}
        arrays |= {f"masks.{name}": mask for name, mask in self.masks.items()}
        arrays |= {"state": self.state, "instruction": np.array(self.instruction), "noise": self.noise}
        if self.guidance:
            settings = {name: np.array(getattr(self.guidance, name)) for name in GUIDANCE_SETTINGS}
            arrays |= {"previous": self.guidance.previous.numpy(), **settings}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Sample:
        arrays = dict(np.load(path, allow_pickle=False))

        def named(start: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}

        words = arrays["instruction"].tolist()
        guidance = None
        if "previous" in arrays:
            settings = {name: arrays[name].item() for name in GUIDANCE_SETTINGS}
            guidance = Guidance(torch.from_numpy(arrays["previous"]), **settings)
        instruction = words if isinstance(words, str) else tuple(words)
        return cls(named("images."), arrays["state"], instruction, arrays["noise"], named("masks."), guidance)


def random_sample(checkpoint: Checkpoint, seed: int) -> Sample:
    """Frames of 480 x 640, a state about the statistics' centre, noise."""
    random, config = np.random.default_rng(seed), checkpoint.config
    centre, spread = (values.numpy() for values in checkpoint.processors.state.centre_and_spread())
    noise = random.standard_normal((1, config.chunk_size, config.max_action_dim))
    return Sample(
        images={name: random.random((3, 480, 640), dtype=np.float32) for name in config.camera_features},
        state=(centre + spread * random.standard_normal(config.state_dim)).astype(np.float32),
        instruction=INSTRUCTION,
        noise=noise.astype(np.float32),
    )


def batch_of(checkpoint: Checkpoint, sample: Sample) -> dict[str, torch.Tensor]:
    """The sample in the public key names, normalised and tokenised."""
    words = sample.instruction
    tokens, mask = checkpoint.tokenizer([words] if isinstance(words, str) else words)
    return {
        **{name: torch.from_numpy(image).reshape(-1, *image.shape[-3:]) for name, image in sample.images.items()},
        **{f"{name}_padding_mask": torch.from_numpy(mask) for name, mask in sample.masks.items()},
        STATE: checkpoint.processors.state.forward(torch.from_numpy(sample.state).reshape(-1, sample.state.shape[-1])),
        TOKENS: tokens,
        TOKEN_MASK: mask,
    }


def run_here(checkpoint: Checkpoint, sample: Sample) -> dict[str, np.ndarray]:
    """What the peer's output holds of tokens, chunk and actions, made here."""
    batch = batch_of(checkpoint, sample)
    chunk = checkpoint.model.predict_action_chunk(batch, torch.from_numpy(sample.noise), guidance=sample.guidance)
    actions = checkpoint.processors.actions_from_model(
        chunk.float(), torch.from_numpy(sample.state).reshape(-1, sample.state.shape[-1])
    )
    return {"tokens": batch[TOKENS].numpy(), "chunk": chunk.float().numpy(), "actions": actions.numpy()}


def run_peer(
    python: Path,
    folder: Path,
    sample: Sample,
    threads: int,
    repeat: int = 1,
    save: Path | None = None,
    bfloat16: Sequence[str] = (),
    file_types: bool = False,
    adapter: Path | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of lerobot_peer.py. Raises PeerError.

    bfloat16: tensors to cast before a second run. file_types: run in the types of the file, whatever LeRobot builds.
    adapter: a folder of low-rank changes to the checkpoint.
    """
    with tempfile.TemporaryDirectory() as work:
        source, target = Path(work, "input.npz"), Path(work, "output.npz")
        sample.save(source)
        command = [str(python), str(PEER_SCRIPT), str(folder), str(source), str(target)]
        command += ["--repeat", str(repeat), "--threads", str(threads)] + (["--save", str(save)] if save else [])
        if file_types:
            command.append("--file-types")
        if adapter:
            command += ["--adapter", str(adapter)]
        if bfloat16:
            names = Path(work, "bfloat16.txt")
            names.write_text("\n".join(bfloat16))
            command += ["--bfloat16", str(names)]
        run_in_peer(python, command)
        return dict(np.load(target, allow_pickle=False))


def run_in_peer(python: Path, command: list[str], **variables: str) -> None:
    """Runs a command of the peer's python. variables: of its environment. Raises PeerError with its last words."""
    # ROS's wheels set the first two for this process, the last is this project's: none is the peer's
    own = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in own} | variables
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PeerError(f"{python}: expected a python with lerobot 0.6.1, found: {error.strerror}") from None
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise PeerError(f"{python}: expected a python with lerobot 0.6.1, which ended with {done.returncode}:\n{said}")
