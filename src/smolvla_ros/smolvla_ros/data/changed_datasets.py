"""Each change that `smolvla dataset` makes, of a small dataset of three episodes: for LeRobot to read the result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from smolvla_ros.data.annotation.retasking import retask
from smolvla_ros.data.camera_renaming import rename_cameras
from smolvla_ros.data.copying import copy_episodes
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.embodiment_file import save_embodiment
from smolvla_ros.data.new_dataset import fill_dataset
from smolvla_ros.data.repairing import rebuild
from smolvla_ros.data.trimming import Span, trimmed_parts
from smolvla_ros.embodiment import load_embodiment


def merged(root: Path, work: Path) -> Path:
    """With itself, its embodiment file kept."""
    save_embodiment(root, load_embodiment())
    one, other = open_dataset(root), open_dataset(root)
    copy_episodes([(one, range(3)), (other, range(3))], work / "merged")
    return work / "merged"


def one_deleted(root: Path, work: Path) -> Path:
    copy_episodes([(open_dataset(root), [0, 2])], work / "deleted")
    return work / "deleted"


def trimmed(root: Path, work: Path) -> Path:
    """The first episode between key frames, the last between others."""
    dataset, folder = open_dataset(root), work / "trimmed"
    folder.mkdir()
    spans = {0: Span(4, 30), 2: Span(3, 22)}
    fill_dataset(folder, dataset.info, trimmed_parts(dataset, spans, work / "cut"), [root])
    return folder


def repaired(root: Path, work: Path) -> Path:
    """Its list of episodes and its statistics are lost."""
    shutil.rmtree(root / "meta" / "episodes")
    (root / "meta" / "stats.json").unlink()
    rebuild(root, work / "repaired", print_nothing)
    return work / "repaired"


def retasked(root: Path, work: Path) -> Path:
    retask(open_dataset(root), {0: "Pick up the cube", 2: "Stapel die Würfel"}, work / "retasked")
    return work / "retasked"


def renamed(root: Path, work: Path) -> Path:
    dataset = open_dataset(root)
    top, wrist = dataset.info.cameras
    rename_cameras(dataset, {top: wrist, wrist: "observation.images.side"}, work / "renamed")
    return work / "renamed"


def print_nothing(text: str) -> None:
    """What is lost here is lost on purpose."""


CHANGES: dict[str, Callable[[Path, Path], Path]] = {
    "merged": merged,
    "an episode deleted": one_deleted,
    "pictures in rows, an episode deleted": lambda root, work: one_deleted(root, work),
    "trimmed": trimmed,
    "repaired, its lists lost": repaired,
    "tasks rewritten": retasked,
    "cameras renamed": renamed,
}
