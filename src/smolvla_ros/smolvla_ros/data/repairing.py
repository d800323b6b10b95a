"""A dataset made sound: what was begun is ended, what is lost is left out, what can be made anew is made anew."""

from __future__ import annotations

from pathlib import Path

from smolvla_ros.data.checks import Finding
from smolvla_ros.data.commit import remove_uncommitted
from smolvla_ros.data.copying import require_joinable
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_check import check
from smolvla_ros.data.dataset_parts import parts_of
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.info import V30, Info, read_info
from smolvla_ros.data.new_dataset import fill_dataset, new_or_in_place
from smolvla_ros.data.salvage import Say, salvage
from smolvla_ros.data.writer import commit_parts, pending_parts

REPAIRED = ("frames", "statistics")
"""Kinds of findings that a repair ends; the others are about what was recorded."""


def finish(root: Path, say: Say) -> None:
    """Ends in place what the writer had begun: commits whole episodes, deletes what no list names."""
    info = read_info(root)
    if info.version != V30:
        return
    try:
        removed = remove_uncommitted(root, info)
        pending = pending_parts(root)
        if pending:
            grown = commit_parts(root)
            say(f"{len(pending)} episodes committed that were written before it was interrupted: {pending}")
            info = grown
    except DatasetError:
        return  # its lists are damaged: what is there is salvaged, and nothing is deleted before
    if removed:
        say(f"{len(removed)} files deleted that were not written to their end")


def what_is_wrong(root: Path) -> list[Finding | DatasetError]:
    """What a repair can end."""
    try:
        return [finding for finding in check(open_dataset(root), pictures=False) if finding.kind in REPAIRED]
    except DatasetError as error:
        return [error]


def rebuild(root: Path, output: Path | None, say: Say) -> Info:
    """A new dataset of the whole episodes, with indices and statistics made anew, in its version.

    It takes the place of the old one, which is kept, where no output is named. Raises DatasetError.
    """
    found = salvage(root, say)
    require_joinable([(found.dataset, found.whole)])
    with new_or_in_place(root, output) as folder:
        parts = parts_of(found.dataset, found.whole, anew=True)
        return fill_dataset(folder, found.dataset.info, parts, [root], found.dataset.info.version)
