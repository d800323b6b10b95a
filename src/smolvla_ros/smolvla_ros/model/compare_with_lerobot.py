"""Whether LeRobot and this project compute the same from the same files, both ways.

    python -m smolvla_ros.model.compare_with_lerobot --peer /path/to/python [--size tiny|small|full] [--seed N]

Writes a random checkpoint, runs it here and in LeRobot on the same frames, joints, words and noise, has LeRobot write
it anew, and runs that here again. Ends with 1 where chunks differ by more than the tolerance.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS
from smolvla_ros.model.random_checkpoint import BACKBONE_FOLDER, SIZES, random_checkpoint

PEER_SCRIPT = Path(__file__).with_name("lerobot_peer.py")
TOLERANCE = 1e-5
INSTRUCTION = "put the red cube in the blue box, then close the gripper"


class PeerError(RuntimeError):
    """LeRobot did not run. The message holds the end of what it said."""


@dataclass(frozen=True)
class Sample:
    """One observation as arrays: images feature -> (3, H, W) in [0, 1], state in the robot's units, noise."""

    images: dict[str, np.ndarray]
    state: np.ndarray
    instruction: str
    noise: np.ndarray

    def save(self, path: Path) -> None:
        images = {f"images.{name}": image for name, image in self.images.items()}
        np.savez(path, state=self.state, instruction=np.array(self.instruction), noise=self.noise, **images)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Sample:
        arrays = dict(np.load(path, allow_pickle=False))
        images = {name.removeprefix("images."): array for name, array in arrays.items() if name.startswith("images.")}
        return cls(images, arrays["state"], str(arrays["instruction"]), arrays["noise"])


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
    """The sample in the public key names, normalised and tokenised, batch of one."""
    tokens, mask = checkpoint.tokenizer([sample.instruction])
    return {
        **{name: torch.from_numpy(image)[None] for name, image in sample.images.items()},
        STATE: checkpoint.processors.state.forward(torch.from_numpy(sample.state)[None]),
        TOKENS: tokens,
        TOKEN_MASK: mask,
    }


def run_here(checkpoint: Checkpoint, sample: Sample) -> dict[str, np.ndarray]:
    """What the peer's output holds of tokens, chunk and actions, made here."""
    batch = batch_of(checkpoint, sample)
    chunk = checkpoint.model.predict_action_chunk(batch, torch.from_numpy(sample.noise))
    actions = checkpoint.processors.action.inverse(chunk.float())
    return {"tokens": batch[TOKENS].numpy(), "chunk": chunk.float().numpy(), "actions": actions.numpy()}


def run_peer(
    python: Path, folder: Path, sample: Sample, threads: int, repeat: int = 1, save: Path | None = None
) -> dict[str, np.ndarray]:
    """The arrays of lerobot_peer.py. Raises PeerError."""
    with tempfile.TemporaryDirectory() as work:
        source, target = Path(work, "input.npz"), Path(work, "output.npz")
        sample.save(source)
        command = [str(python), str(PEER_SCRIPT), str(folder), str(source), str(target)]
        command += ["--repeat", str(repeat), "--threads", str(threads)] + (["--save", str(save)] if save else [])
        # ROS's wheels set the first two for this process, the last is this project's: none is the peer's
        own = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if name not in own}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        except OSError as error:
            raise PeerError(f"{python}: expected a python with lerobot 0.6.1, found: {error.strerror}") from None
        if done.returncode:
            said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
            raise PeerError(
                f"{python}: expected a python with lerobot 0.6.1, which ended with {done.returncode}:\n{said}"
            )
        return dict(np.load(target, allow_pickle=False))


def compare(python: Path, size: str, seed: int, work: Path, threads: int) -> float:
    """The largest difference of normalised actions, of both directions. Prints each. Raises PeerError."""
    ours, theirs = work / "ours", work / "theirs"
    save_checkpoint(random_checkpoint(load_embodiment(), size, seed), ours)
    checkpoint = load_checkpoint(ours)
    sample = random_sample(checkpoint, seed)
    peer = run_peer(python, ours, sample, threads, save=theirs)
    here = run_here(checkpoint, sample)
    del checkpoint
    words = here["tokens"].shape[1]
    if not np.array_equal(peer["tokens"][:, :words], here["tokens"]):
        raise PeerError(f"tokens differ: {here['tokens'].tolist()} here, {peer['tokens'].tolist()} in LeRobot")
    shutil.copytree(ours / BACKBONE_FOLDER, theirs / BACKBONE_FOLDER)
    again = run_here(load_checkpoint(theirs), sample)
    worst = 0.0
    for title, other in (("our checkpoint, LeRobot and here", peer), ("LeRobot's copy of it, here and here", again)):
        difference = float(np.abs(other["chunk"] - here["chunk"]).max())
        units = float(np.abs(other["actions"] - here["actions"]).max())
        print(f"{title}: largest difference {difference:.2e} normalised, {units:.2e} in the robot's units")
        worst = max(worst, difference)
    print(f"mean size of a normalised action {np.abs(here['chunk']).mean():.2f}; {words} tokens, equal")
    return worst


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny", help="full: 450 million parameters, 8 GB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as work:
        try:
            worst = compare(options.peer, options.size, options.seed, Path(work), options.threads)
        except PeerError as error:
            print(error, file=sys.stderr)
            return 2
    print("equal" if worst <= options.tolerance else f"DIFFERENT: more than {options.tolerance:g}")
    return int(worst > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
