"""Whether LeRobot and this project compute the same from the same files, both ways.

    python -m smolvla_ros.model.compare_with_lerobot --peer /path/to/python [--size tiny|small|full] [--seed N]
    python -m smolvla_ros.model.compare_with_lerobot --peer /path/to/python --checkpoint FOLDER
    python -m smolvla_ros.model.compare_with_lerobot --peer /path/to/python --all [NAME ...] [--size ...]

Writes a random checkpoint, or takes one that is there, runs it here and in LeRobot on the same frames, joints, words
and noise, has LeRobot write it anew, and runs that here again. Ends with 1 where chunks differ by more than the
tolerance.

With --all, every case of comparison_cases.py (or those whose names contain a given NAME) in float32, and cast to the
types of published checkpoints; there, both round, so this project's distance from the float32 chunk may be at most
1.5 times LeRobot's own. A case is skipped where memory is short.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.comparison_cases import (
    CASES,
    Case,
    cast_as_published,
    checkpoint_of,
    published_bfloat16,
    sample_of,
)
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.peer_run import PeerError, Sample, batch_of, random_sample, run_here, run_peer
from smolvla_ros.model.random_checkpoint import BACKBONE_FOLDER, SIZES, random_checkpoint

__all__ = ["PeerError", "Sample", "batch_of", "compare", "compare_all", "main", "random_sample", "run_here", "run_peer"]

TOLERANCE = 1e-5
ROUNDING = 1.5
"""How many times LeRobot's distance from the float32 chunk this project's may be, both in the published types."""
NEEDED_BYTES = {"tiny": 1 << 30, "small": 1 << 30, "full": 8 << 30}
MEMORY_FILE = Path("/proc/meminfo")


def compare(python: Path, ours: Path, seed: int, work: Path, threads: int) -> float:
    """The largest difference of normalised actions, of both directions. Prints each. ours: a checkpoint's folder.

    Raises PeerError, CheckpointError.
    """
    theirs = work / "theirs"
    checkpoint = load_checkpoint(ours)
    sample = random_sample(checkpoint, seed)
    peer = run_peer(python, ours, sample, threads, save=theirs)
    here = run_here(checkpoint, sample)
    del checkpoint
    words = here["tokens"].shape[1]
    if not np.array_equal(peer["tokens"][:, :words], here["tokens"]):
        raise PeerError(f"tokens differ: {here['tokens'].tolist()} here, {peer['tokens'].tolist()} in LeRobot")
    if (ours / BACKBONE_FOLDER).is_dir():
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


@dataclass(frozen=True)
class Outcome:
    """float32: largest difference between both, of chunks and, as shares of a joint's spread, of actions.

    ours, theirs: root mean square distance of the chunk in published types from LeRobot's float32 one. size: mean size
    of its numbers. tokens: places of the instruction.
    """

    float32: float
    ours: float
    theirs: float
    size: float
    tokens: int

    def equal(self, tolerance: float) -> bool:
        return self.float32 <= tolerance and self.ours <= ROUNDING * self.theirs


def compare_case(python: Path, case: Case, folder: Path, seed: int, threads: int) -> Outcome:
    """One case on the checkpoint in `folder`. Raises PeerError."""
    checkpoint = load_checkpoint(folder)
    sample, names = sample_of(case, checkpoint, seed), published_bfloat16(checkpoint.model)
    here = run_here(checkpoint, sample)
    spread = checkpoint.processors.action.centre_and_spread()[1].numpy()
    cast_as_published(checkpoint.model)
    rounded = run_here(checkpoint, sample)["chunk"]
    del checkpoint  # both at once need twice the memory
    peer = run_peer(python, folder, sample, threads, bfloat16=names)
    places = here["tokens"].shape[1]
    if not np.array_equal(peer["tokens"][:, :places], here["tokens"]):
        raise PeerError(f"tokens differ: {here['tokens'].tolist()} here, {peer['tokens'].tolist()} in LeRobot")
    ours, theirs = (
        float(np.sqrt(np.square(chunk - peer["chunk"]).mean())) for chunk in (rounded, peer["chunk_bfloat16"])
    )
    difference = max(
        float(np.abs(here["chunk"] - peer["chunk"]).max()),
        float((np.abs(here["actions"] - peer["actions"]) / spread).max()),
    )
    return Outcome(difference, ours, theirs, float(np.abs(peer["chunk"]).mean()), places)


def compare_all(
    python: Path, size: str, seed: int, work: Path, threads: int, tolerance: float, parts_of_names: Sequence[str] = ()
) -> list[str]:
    """Prints a row a case. Returns the names of those that are not equal. Raises PeerError."""
    cases = [case for case in CASES if not parts_of_names or any(part in case.name for part in parts_of_names)]
    print(f"| {size}: case | tokens | mean size | float32, largest | published, here | published, LeRobot | |")
    print("|---|---|---|---|---|---|---|", flush=True)
    failed, folder, shape = [], work / "checkpoint", None
    for case in cases:
        needed, available = NEEDED_BYTES[size] * case.layers_factor, _available_bytes()
        if available is not None and available < needed:
            print(
                f"| {case.name} | | | | | | skipped: needs {needed >> 30} GiB, {available / 2**30:.1f} free |",
                flush=True,
            )
            continue
        if case.shape != shape:
            shutil.rmtree(folder, ignore_errors=True)
            save_checkpoint(checkpoint_of(case, size, seed), folder)
            shape = case.shape
        found = compare_case(python, case, folder, seed, threads)
        equal = found.equal(tolerance)
        failed += [] if equal else [case.name]
        print(
            f"| {case.name} | {found.tokens} | {found.size:.2f} | {found.float32:.1e} | {found.ours:.1e} "
            f"| {found.theirs:.1e} | {'equal' if equal else 'DIFFERENT'} |",
            flush=True,
        )
    return failed


def _available_bytes() -> int | None:
    """What new processes may take, None where the system does not tell."""
    if not MEMORY_FILE.exists():
        return None
    fields = dict(line.split(":", 1) for line in MEMORY_FILE.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny", help="full: 450 million parameters, 8 GB")
    parser.add_argument("--checkpoint", type=Path, help="the folder of one that is there already, instead")
    parser.add_argument("--all", nargs="*", metavar="NAME", help="every case, or those whose names contain a NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as work:
        try:
            if options.all is not None:
                folder, names = Path(work), options.all
                failed = compare_all(
                    options.peer, options.size, options.seed, folder, options.threads, options.tolerance, names
                )
                print(f"DIFFERENT: {', '.join(failed)}" if failed else "equal")
                return int(bool(failed))
            ours = options.checkpoint or Path(work, "ours")
            if not options.checkpoint:
                save_checkpoint(random_checkpoint(load_embodiment(), options.size, options.seed), ours)
            worst = compare(options.peer, ours, options.seed, Path(work), options.threads)
        except (PeerError, CheckpointError) as error:
            print(error, file=sys.stderr)
            return 2
    print("equal" if worst <= options.tolerance else f"DIFFERENT: more than {options.tolerance:g}")
    return int(worst > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
