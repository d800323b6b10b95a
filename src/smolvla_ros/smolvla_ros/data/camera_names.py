"""Cameras under the names of their views, as SmolVLA's pretraining data has them (arXiv 2506.01844, section 3.2).

A map is proposed from names and pictures; a person confirms or corrects it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.errors import mismatch

PREFIX = "observation.images."
TOP, WRIST, SIDE = "top", "wrist", "side"
WORDS = {
    WRIST: ("wrist", "gripper", "hand", "eef", "ego"),
    TOP: ("top", "overhead", "above", "up", "bird", "ceiling", "topdown"),
    SIDE: ("side", "left", "right", "front", "back", "rear", "third", "context"),
}
MOVING, PAIRS, APART_S, LEVELS = 0.35, 12, 0.5, 20
"""A camera on the wrist sees nearly everything move: this share of pixels changes by LEVELS within APART_S."""


@dataclass(frozen=True)
class Proposal:
    """camera: the feature. name: of its view, `top`. reason: why, for the person who confirms it."""

    camera: str
    name: str
    reason: str


def propose(cameras: Sequence[str], shares: Mapping[str, float]) -> list[Proposal]:
    """A name for each camera, none twice. shares: of pixels that change, of cameras whose names do not tell."""
    taken: set[str] = set()
    named = {camera: view for camera in cameras if (view := _by_name(camera))}
    others = sorted((c for c in cameras if c not in named), key=lambda camera: -shares.get(camera, 0.0))
    found: dict[str, Proposal] = {}
    for camera in sorted(named, key=lambda camera: camera != PREFIX + named[camera]):
        found[camera] = Proposal(camera, _free(named[camera], taken), "by its name")
    for camera in others:
        share = shares.get(camera, 0.0)
        if share >= MOVING and WRIST not in taken:
            found[camera] = Proposal(camera, _free(WRIST, taken), f"{share:.0%} of its pixels move with the arm")
        else:
            view = TOP if TOP not in taken else SIDE
            found[camera] = Proposal(camera, _free(view, taken), f"a guess: {share:.0%} of its pixels move")
    return [found[camera] for camera in cameras]


def unnamed(cameras: Sequence[str]) -> list[str]:
    """Those whose names do not tell their view."""
    return [camera for camera in cameras if not _by_name(camera)]


def moving_share(dataset: Dataset, camera: str) -> float:
    """The share of pixels that change while the arm moves: the median over pairs of pictures at which it moves most."""
    apart = max(1, round(APART_S * dataset.info.fps))
    joints = dataset.column("observation.state" if "observation.state" in dataset.columns else "action")
    starts = np.concatenate(
        [np.arange(e.start, e.end - apart, apart) for e in dataset.episodes] or [np.zeros(0, dtype=int)]
    )
    if not len(starts):
        return 0.0
    moved = np.abs(joints[starts + apart] - joints[starts]).reshape(len(starts), -1).sum(axis=1)
    shares = []
    for row in np.sort(starts[np.argsort(-moved, kind="stable")[:PAIRS]]).tolist():
        before, after = (picture[::4, ::4].astype(np.int16) for picture in dataset.images(camera, [row, row + apart]))
        shares.append(float((np.abs(after - before).max(axis=2) > LEVELS).mean()))
    return float(np.median(shares))


def names_of(raw: object, cameras: Sequence[str], where: object) -> dict[str, str]:
    """A confirmed map as feature -> new feature. raw: `laptop: top`, with or without the prefix of features.

    Cameras that it leaves out keep their names. Raises DatasetError: no map, no such camera, a name twice.
    """
    remedy = "name each camera once, like `laptop: top`"
    if not isinstance(raw, Mapping) or not raw:
        raise mismatch(where, "a map of cameras", raw, remedy)
    found = {camera: camera for camera in cameras}
    for old, new in raw.items():
        camera = str(old) if str(old) in cameras else PREFIX + str(old)
        if camera not in cameras:
            raise mismatch(where, f"cameras of {', '.join(cameras)}", old, remedy)
        if not isinstance(new, str) or not re.fullmatch(r"[A-Za-z0-9_.]+", new):
            raise mismatch(f"{where}: {old}", "a name of letters, digits and _", new, remedy)
        found[camera] = new if new.startswith("observation.") else PREFIX + new
    if len(set(found.values())) < len(found):
        raise mismatch(where, "another name for each camera", list(found.values()), remedy)
    return found


def _by_name(camera: str) -> str | None:
    words = set(re.split(r"[^a-z]+", camera.removeprefix(PREFIX).lower()))
    return next((view for view, known in WORDS.items() if words & set(known)), None)


def _free(view: str, taken: set[str]) -> str:
    name, number = view, 2
    while name in taken:
        name, number = f"{view}_{number}", number + 1
    taken.add(name)
    return name
