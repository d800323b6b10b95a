"""Other texts for episodes' tasks. What they were stays in the episode's notes, so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from smolvla_ros.data.commit import read_notes
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.dataset_parts import part_of
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.new_dataset import fill_dataset, new_or_in_place

NOTE = "task_before"
"""Of an episode: {"was": [[text, frames], ...], "became": text}."""


def retask(dataset: Dataset, texts: Mapping[int, str], output: Path | None) -> None:
    """Gives these episodes one text each, in place or as a new dataset. Raises DatasetError."""
    _rewrite(dataset, (_retasked(part_of(dataset, e.index), texts.get(e.index, "")) for e in dataset.episodes), output)


def undoable(dataset: Dataset) -> tuple[list[int], list[int]]:
    """Episodes whose texts can be given back, and those that have got others since."""
    back: list[int] = []
    changed: list[int] = []
    for note in read_notes(dataset.root, dataset.info):
        before, index = note.get(NOTE), note["episode_index"]
        if isinstance(before, Mapping) and isinstance(index, int):
            (back if dataset.episodes[index].tasks == (before.get("became"),) else changed).append(index)
    return back, changed


def undo(dataset: Dataset, episodes: list[int], output: Path | None) -> None:
    """Gives these episodes the texts back that they had. Raises DatasetError."""
    parts = (
        _restored(part) if e.index in episodes else part
        for e, part in ((e, part_of(dataset, e.index)) for e in dataset.episodes)
    )
    _rewrite(dataset, parts, output)


def _rewrite(dataset: Dataset, parts: Iterator[EpisodePart], output: Path | None) -> None:
    with new_or_in_place(dataset.root, output, keep=False) as folder:
        fill_dataset(folder, dataset.info, parts, [dataset.root], dataset.info.version)


def _retasked(part: EpisodePart, text: str) -> EpisodePart:
    if not text or set(part.tasks) == {text}:
        return part
    was = [[task, len(list(frames))] for task, frames in groupby(part.tasks)]
    first = part.notes.get(NOTE)  # of an earlier change: what it was before that is what an undo gives back
    if isinstance(first, Mapping) and set(part.tasks) == {first.get("became")}:
        was = first["was"]
    return replace(part, tasks=[text] * part.frames, notes={**part.notes, NOTE: {"was": was, "became": text}})


def _restored(part: EpisodePart) -> EpisodePart:
    tasks = [task for task, frames in part.notes[NOTE]["was"] for _ in range(frames)]
    tasks = (tasks + tasks[-1:] * part.frames)[: part.frames]  # trimmed since
    return replace(part, tasks=tasks, notes={name: value for name, value in part.notes.items() if name != NOTE})
