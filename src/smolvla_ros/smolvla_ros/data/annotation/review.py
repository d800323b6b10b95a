"""The file in which a person reads and corrects proposed tasks: YAML, an entry an episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.whole_file import whole_file

HEAD = """\
# Proposed tasks. Correct `task` where it is wrong; an empty one leaves the episode's task as it was.
# Then: smolvla dataset annotate {root} --apply {path}
"""
REMEDY = "correct it, or propose anew with --restart"


@dataclass(frozen=True)
class Entry:
    """was: the episode's texts. proposed: by the model. task: what a person made of it."""

    episode: int
    was: tuple[str, ...]
    proposed: str
    task: str


@dataclass(frozen=True)
class Review:
    """model, camera, frames: how the proposals were made, so that others are not mixed with them."""

    model: str
    camera: str
    frames: int
    entries: tuple[Entry, ...] = ()


def write_review(path: Path, root: Path, review: Review) -> None:
    """Whole or not at all."""
    raw = {
        "model": review.model,
        "camera": review.camera,
        "frames": review.frames,
        "episodes": [
            {"episode": e.episode, "was": list(e.was), "proposed": e.proposed, "task": e.task} for e in review.entries
        ],
    }
    text = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=110)
    with whole_file(path) as part:
        part.write_text(HEAD.format(root=root, path=path) + text, encoding="utf-8")


def read_review(path: Path) -> Review:
    """Raises DatasetError."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or error
        raise mismatch(path, "a review file", found, "propose tasks first") from None
    except yaml.YAMLError as error:
        raise mismatch(path, "YAML", " ".join(str(error).split()), REMEDY) from None
    if not isinstance(raw, Mapping) or not isinstance(raw.get("episodes"), list):
        raise mismatch(path, "a mapping with a list `episodes`", type(raw).__name__, REMEDY)
    return Review(
        model=_text(path, raw, "model"),
        camera=_text(path, raw, "camera"),
        frames=raw["frames"] if isinstance(raw.get("frames"), int) else 0,
        entries=tuple(_entry(path, place, entry) for place, entry in enumerate(raw["episodes"])),
    )


def require_of(review: Review, path: Path, dataset: Dataset) -> None:
    """Raises DatasetError where an entry is of no episode, twice, or of one whose texts are others."""
    indices = [entry.episode for entry in review.entries]
    for entry in review.entries:
        where = f"{path}: episode {entry.episode}"
        if not 0 <= entry.episode < len(dataset.episodes) or indices.count(entry.episode) > 1:
            raise mismatch(where, f"each of 0 to {len(dataset.episodes) - 1} once", entry.episode, REMEDY)
        texts = dataset.episodes[entry.episode].tasks
        if texts != entry.was:
            remedy = "take the file that was made of this dataset, or propose anew with --restart"
            raise mismatch(f"{where}: was", f"{list(texts)}, as in the dataset", list(entry.was), remedy)


def _entry(path: Path, place: int, raw: Any) -> Entry:
    where = f"{path}: entry {place}"
    if not isinstance(raw, Mapping) or not isinstance(raw.get("episode"), int):
        raise mismatch(where, "a mapping with the number of an episode", raw, REMEDY)
    was = raw.get("was")
    if not isinstance(was, list) or not all(isinstance(text, str) for text in was):
        raise mismatch(f"{where}: was", "a list of texts", was, REMEDY)
    return Entry(raw["episode"], tuple(was), _text(where, raw, "proposed"), _text(where, raw, "task").strip())


def _text(where: object, raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\n" in value.strip():
        raise mismatch(f"{where}: {name}", "one line of text", repr(value), "put it between quotes")
    return value
