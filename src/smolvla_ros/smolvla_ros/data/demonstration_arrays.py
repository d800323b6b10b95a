"""Demonstrations as plain arrays, mapped into memory: what a trainer draws single frames from without decoding video.

A folder of shards, each a folder of .npy files with one row a frame, written whole or not at all:

    images       (frames, cameras, height, width, 3) uint8 RGB
    state        (frames, joints) float32, in the embodiment's LeRobot units
    actions      (frames, 2, rows, joints) float32, the same units: for the instruction, and for another one
    tasks        (frames, 2, 2) int8: cube and box that each of the two names, counted in `objects`
    positions    (frames, objects, 3) float32, m, world frame
    pixels       (frames, cameras, objects, 2) float32: column and row, shares of the image; NaN behind the camera
    episode, frame  (frames,) int32: seed of the episode, its frame at the policy's rate

description.json beside the shards names cameras and objects.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from smolvla_ros.data.errors import mismatch

DESCRIPTION = "description.json"
FIELDS = ("images", "state", "actions", "tasks", "positions", "pixels", "episode", "frame")


@dataclass(frozen=True)
class Description:
    """Names in the order of the arrays' columns; fps of the rows of an action chunk."""

    cameras: tuple[str, ...]
    objects: tuple[str, ...]
    joints: tuple[str, ...]
    units: tuple[str, ...]
    fps: float


def write_description(root: Path, description: Description) -> None:
    """Raises DatasetError where another one is there."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / DESCRIPTION
    if path.exists() and read_description(root) != description:
        raise mismatch(path, "the description of these demonstrations", "another one", "name another folder")
    path.write_text(json.dumps(asdict(description), indent=1), encoding="utf-8")


def read_description(root: Path) -> Description:
    """Raises DatasetError."""
    path = root / DESCRIPTION
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cameras, objects, joints, units = (tuple(raw[name]) for name in ("cameras", "objects", "joints", "units"))
        return Description(cameras, objects, joints, units, float(raw["fps"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise mismatch(path, "a description of demonstrations", error, "make them: smolvla demos") from None


def write_shard(root: Path, index: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Shard `index`, in the place of an old one."""
    folder = _folder(root, index)
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in FIELDS:
        np.save(unfinished / f"{name}.npy", arrays[name])
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def shards(root: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("shard-")) for folder in root.glob("shard-" + "[0-9]" * 5))


class DemonstrationArrays:
    """All shards of some folders as one. `len` counts frames; `source` (frames,): of which folder each is."""

    def __init__(self, *roots: Path) -> None:
        """Raises DatasetError where a folder has none, or those of another robot or scene than the first."""
        self.description = read_description(roots[0])
        self._shards: list[dict[str, np.ndarray]] = []
        sources = []
        for number, root in enumerate(roots):
            found = shards(root)
            if not found:
                raise mismatch(root, "shards of demonstrations", "none", "make them: smolvla demos")
            if read_description(root) != self.description:
                raise mismatch(root, f"the description in {roots[0]}", "another one", "make them with the same robot")
            for index in found:
                fields = {name: np.load(_folder(root, index) / f"{name}.npy", mmap_mode="r") for name in FIELDS}
                self._shards.append(fields)
                sources.append(np.full(len(fields["frame"]), number))
        self.source = np.concatenate(sources)
        self._ends = np.cumsum([len(shard["frame"]) for shard in self._shards])
        self.frame, self.episode = (
            np.concatenate([shard[name] for shard in self._shards]) for name in ("frame", "episode")
        )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def rows(self, indices: Sequence[int] | np.ndarray, names: Sequence[str] = FIELDS) -> dict[str, np.ndarray]:
        """The frames of these indices, (n, ...) each, copied."""
        indices = np.asarray(indices)
        which = np.searchsorted(self._ends, indices, side="right")
        starts = np.concatenate([[0], self._ends[:-1]])
        return {
            name: np.stack([self._shards[w][name][i - starts[w]] for w, i in zip(which, indices, strict=True)])
            for name in names
        }


def _folder(root: Path, index: int) -> Path:
    return root / f"shard-{index:05d}"
