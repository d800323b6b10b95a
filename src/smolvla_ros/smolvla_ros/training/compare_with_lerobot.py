"""Whether LeRobot and this project learn the same from the same batch.

    python -m smolvla_ros.training.compare_with_lerobot --peer /path/to/python [--size tiny|small] [--steps N]

Writes a random checkpoint and takes the same steps here and in LeRobot: same batch, noise and times, each side's own
loss, clipping, optimiser and schedule. Once as LeRobot trains by default (expert and projections), once with the
backbone. Then what was trained here, whole and as low-rank changes, is loaded by LeRobot, which needs peft for the
latter, and gives a chunk. Ends with 1 where losses, first gradients, last weights or chunks differ by more than the
tolerance.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.peer_run import PeerError
from smolvla_ros.model.random_checkpoint import SIZES, random_checkpoint
from smolvla_ros.training.peer_steps import Steps, random_batch, steps_here, steps_of_peer
from smolvla_ros.training.settings import BACKBONE, EXPERT, LORA
from smolvla_ros.training.trained_in_lerobot import compare_trained

TOLERANCE = 1e-5
SETTLED = 1e-6
"""Below it a gradient is rounding, whose sign decides the direction of Adam's first steps."""


@dataclass(frozen=True)
class Difference:
    """loss: largest of all steps. gradient: largest, over the largest gradient. weight: largest of those that have one.

    unequal: parameters that learn on one side alone.
    """

    loss: float
    gradient: float
    weight: float
    parameters: int
    unequal: tuple[str, ...]

    def equal(self, tolerance: float) -> bool:
        return max(self.loss, self.gradient, self.weight) <= tolerance and not self.unequal


def difference(ours: Steps, theirs: Steps) -> Difference:
    names = sorted(set(ours.gradients) & set(theirs.gradients))
    unequal = sorted(set(ours.gradients) ^ set(theirs.gradients))
    size = max(float(np.abs(theirs.gradients[name]).max()) for name in names)
    gradient = max(float(np.abs(ours.gradients[name] - theirs.gradients[name]).max()) for name in names) / size
    weights = [
        np.abs(ours.weights[name] - theirs.weights[name])[np.abs(theirs.gradients[name]) > SETTLED] for name in names
    ]
    weight = max((float(values.max()) for values in weights if values.size), default=0.0)
    loss = float(np.abs(ours.losses - theirs.losses).max())
    return Difference(loss, gradient, weight, len(names), tuple(unequal))


def compare(python: Path, size: str, train: str, batch: int, steps: int, seed: int, work: Path) -> Difference:
    """Raises PeerError."""
    made = random_checkpoint(load_embodiment(), size, seed)
    says = {"train_expert_only": train == EXPERT, "freeze_vision_encoder": train == EXPERT}
    made.model.config = replace(made.config, raw={**made.config.raw, **says})
    folder = work / train
    save_checkpoint(made, folder)
    checkpoint = load_checkpoint(folder)
    arrays = random_batch(checkpoint, batch, steps, seed)
    theirs = steps_of_peer(python, folder, arrays, work, gradients=True)
    ours = steps_here(checkpoint, arrays, work / "run", train=train, freeze_vision_encoder=train == EXPERT)
    found = difference(ours, theirs)
    print(
        f"{size}, {train}: {found.parameters} tensors learn; largest difference of the losses of {steps} steps "
        f"{found.loss:.1e} (losses {ours.losses[0]:.3f} to {ours.losses[-1]:.3f}), of first gradients "
        f"{found.gradient:.1e} of the largest, of weights at the end {found.weight:.1e}",
        flush=True,
    )
    for name in found.unequal:
        print(f"  {name} learns on one side alone")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as work:
        try:
            found = [
                compare(options.peer, options.size, train, options.batch, options.steps, options.seed, Path(work))
                for train in (EXPERT, BACKBONE)
            ]
            chunks = [
                compare_trained(
                    options.peer, options.size, train, options.batch, options.steps, options.seed, Path(work)
                )
                for train in (EXPERT, LORA)
            ]
        except PeerError as error:
            print(error, file=sys.stderr)
            return 2
    equal = all(difference.equal(options.tolerance) for difference in found) and max(chunks) <= options.tolerance
    print("equal" if equal else f"DIFFERENT: more than {options.tolerance:g}")
    return int(not equal)


if __name__ == "__main__":
    sys.exit(main())
