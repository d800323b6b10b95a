"""Proposals for all episodes, one by one into the review file: an interruption loses the one being made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from smolvla_ros.data.annotation.review import Entry, Review, read_review, require_of, write_review
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.errors import mismatch

Caption = Callable[[Sequence[np.ndarray], str], str]
"""Pictures and the task as it is -> a sentence."""


def propose(dataset: Dataset, wanted: Review, path: Path, load: Callable[[], Caption]) -> Iterator[Entry]:
    """Entries as they are made; those that the file has already are kept, with what a person changed in them.

    wanted: without entries. load: makes the model, when something is left to do. Raises DatasetError where the file is
    of another dataset, model, camera or number of frames.
    """
    held = wanted
    if path.exists():
        held = read_review(path)
        require_of(held, path, dataset)
        if replace(held, entries=()) != wanted:
            found = f"{held.model}, {held.camera}, {held.frames} frames"
            expected = f"proposals by {wanted.model} on {wanted.camera}, {wanted.frames} frames"
            raise mismatch(path, expected, found, "go on as it was begun, or begin anew with --restart")
    done = {entry.episode for entry in held.entries}
    left = [episode for episode in dataset.episodes if episode.index not in done]
    caption = load() if left else None
    for episode in left:
        assert caption is not None
        numbers = np.round(np.linspace(0, episode.length - 1, wanted.frames)).astype(int)
        pictures = dataset.images(wanted.camera, [episode.start + int(n) for n in dict.fromkeys(numbers.tolist())])
        proposed = caption(list(pictures), " ".join(episode.tasks))
        entry = Entry(episode.index, episode.tasks, proposed, proposed)
        held = replace(held, entries=(*held.entries, entry))
        write_review(path, dataset.root, held)
        yield entry
