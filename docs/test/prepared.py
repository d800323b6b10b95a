"""What a guide's reader has already when its first command is typed: page -> what to put into the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from smolvla_ros.bags.made_bag import make_bag
from smolvla_ros.data.dataset_arrays import FPS, made_arrays, write_here
from smolvla_ros.embodiment import load_embodiment

LENGTHS = (120, 90, 150)
FROZEN = slice(LENGTHS[0] + 30, LENGTHS[0] + 70)
JUMPED = LENGTHS[0] + LENGTHS[1] + 120


def killed_recording(folder: Path) -> None:
    """A bag whose recorder was killed: no metadata, no index, half a record at the end."""
    bag = folder / "recordings/episode_2026-11-21_15-20-25"
    make_bag(bag, load_embodiment(), 2.0, jpeg=True, instruction="put the red cube in the blue box")
    (bag / "metadata.yaml").unlink()
    (file,) = bag.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 9 // 10])


def dataset_with_findings(folder: Path) -> None:
    """Three episodes: a camera stands still in the second, a joint jumps in the third."""
    arrays, t = made_arrays(3, LENGTHS), np.arange(sum(LENGTHS)) / FPS
    moved = np.stack([30 + 20 * np.sin(t + joint) for joint in range(6)], axis=1).astype(np.float32)
    moved[JUMPED:, 1] += 36
    arrays["observation.images.top"][FROZEN] = arrays["observation.images.top"][FROZEN.start]
    arrays |= {"action": moved + np.float32(0.5), "observation.state": moved}
    write_here(folder / "so100_pick", arrays, "h264")


FOUND_THERE: dict[str, Callable[[Path], None]] = {
    "recording.md": killed_recording,
    "datasets.md": dataset_with_findings,
}
