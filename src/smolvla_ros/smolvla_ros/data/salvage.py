"""What of a damaged dataset is whole: episodes whose rows and videos are all there, whatever its lists say.

The list of episodes, the statistics, the texts of tasks and the totals of info.json are made anew where they are lost;
rows that no parquet reader opens and videos without their pictures are not, and their episodes are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from smolvla_ros.data import version_21
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episodes import Episode, read_episodes
from smolvla_ros.data.errors import DatasetError, mismatch
from smolvla_ros.data.features import INDEX_FEATURES
from smolvla_ros.data.found_files import FoundVideos, episode_lengths, row_files, video_of_version_21
from smolvla_ros.data.info import V21, Info, read_info
from smolvla_ros.data.rows import read_columns, row_count
from smolvla_ros.data.tasks import read_old_tasks, read_tasks
from smolvla_ros.data.video_slices import frames_held

Say = Callable[[str], None]


@dataclass(frozen=True)
class Salvaged:
    """dataset: all episodes whose rows are there. whole: the places of those in it whose videos are there too."""

    dataset: Dataset
    whole: tuple[int, ...]


def salvage(root: Path, say: Say) -> Salvaged:
    """say: is told what is lost and what is made anew. Raises DatasetError where no episode is whole."""
    info = read_info(root)
    columns, origins = _rows(root, info, say)
    if not len(columns["index"]):
        raise mismatch(root, "files of rows that can be read", "none", "record it again, or fetch a copy of it")
    listed = _listed(root, info, say)
    episodes = _episodes(root, info, columns, origins, listed, say)
    tasks = _tasks(root, info, columns, episodes, listed, say)
    episodes = [replace(e, tasks=_texts(tasks, columns, e)) for e in episodes]
    whole = []
    for place, episode in enumerate(episodes):
        lacks = _lacks(episode, info, columns["frame_index"][episode.start : episode.end])
        if lacks:
            say(f"episode {episode.index} left out: {lacks}")
        else:
            whole.append(place)
    if not whole:
        raise mismatch(root, "an episode whose rows and videos are there", "none", "fetch a copy of its videos")
    for episode in episodes:
        numbers = np.arange(episode.length, dtype=np.float32)
        columns["timestamp"][episode.start : episode.end] = numbers / np.float32(info.fps)
    kept = replace(info, total_episodes=len(episodes), total_frames=len(columns["index"]), total_tasks=len(tasks))
    return Salvaged(Dataset(root, kept, tuple(episodes), tuple(tasks), columns), tuple(whole))


def _rows(root: Path, info: Info, say: Say) -> tuple[dict[str, np.ndarray], list[tuple[Path, int]]]:
    """Columns of all files that can be read, and these files with their first rows."""
    wanted = {name: f for name, f in info.features.items() if f.is_number or f.dtype == "string"}
    tables, origins, start = [], [], 0
    for path in row_files(root, info):
        try:
            tables.append(read_columns(path, wanted, 0, row_count(path)))
        except DatasetError as error:
            say(f"lost: {error}")
            continue
        origins.append((path, start))
        start += len(tables[-1]["index"])
    if not tables:
        return {name: np.zeros(0) for name in INDEX_FEATURES}, []
    return {name: np.concatenate([table[name] for table in tables]) for name in wanted}, origins


def _listed(root: Path, info: Info, say: Say) -> dict[int, Episode]:
    """By index; empty where the list of episodes is lost."""
    old = info.version == V21
    try:
        return {e.index: e for e in (version_21.read_episodes if old else read_episodes)(root, info)}
    except DatasetError as error:
        say(f"list of episodes made anew: {error}")
        return {}


def _episodes(
    root: Path,
    info: Info,
    columns: dict[str, np.ndarray],
    origins: list[tuple[Path, int]],
    listed: dict[int, Episode],
    say: Say,
) -> list[Episode]:
    lengths = episode_lengths(columns["episode_index"])
    videos = None if listed or info.version == V21 else FoundVideos(root, info)
    found = []
    for index, start, length in lengths:
        path = next(path for path, first in reversed(origins) if first <= start)
        if listed and index not in listed:
            say(f"rows of episode {index} left out: they were not committed")
            continue
        if listed:
            held = {name: replace(video, frames=length) for name, video in listed[index].videos.items()}
        elif videos is None:
            held = video_of_version_21(root, info, index, length)
        else:
            held = videos.take(length)
        found.append(Episode(index, start, length, (), path, held))
    for index in sorted(set(listed) - {episode.index for episode in found}):
        say(f"episode {index} left out: its rows are lost")
    return found


def _tasks(
    root: Path,
    info: Info,
    columns: dict[str, np.ndarray],
    episodes: list[Episode],
    listed: dict[int, Episode],
    say: Say,
) -> list[str]:
    try:
        return (read_old_tasks if info.version == V21 else read_tasks)(root)
    except DatasetError as error:
        texts: dict[int, str] = {}
        for episode in episodes:
            used = np.unique(columns["task_index"][episode.start : episode.end])
            known = listed[episode.index].tasks if listed else ()
            if len(used) == len(known) == 1:
                texts[int(used[0])] = known[0]
        needed = {int(i) for e in episodes for i in columns["task_index"][e.start : e.end]}
        if needed - set(texts):
            lost = f"no text for task_index {sorted(needed - set(texts))}"
            remedy = "write the texts to the file again, one for each task_index"
            expected = "texts in the tasks' file or in the list of episodes"
            raise mismatch(f"{root}: tasks", expected, lost, remedy) from None
        say(f"texts of tasks taken from the list of episodes: {error}")
        return [texts.get(index, "not used") for index in range(max(needed) + 1)]


def _texts(tasks: list[str], columns: dict[str, np.ndarray], episode: Episode) -> tuple[str, ...]:
    used = dict.fromkeys(columns["task_index"][episode.start : episode.end].tolist())
    return tuple(tasks[index] for index in used if 0 <= index < len(tasks))


def _lacks(episode: Episode, info: Info, frame_index: np.ndarray) -> str:
    """What keeps an episode from being whole; "" where nothing does."""
    missed = np.flatnonzero(frame_index != np.arange(episode.length))
    if len(missed):
        return f"its row {missed[0]} is missing, and its pictures are not those of the others"
    if not episode.tasks:
        return "its task has no text"
    for camera in info.videos:
        if camera not in episode.videos:
            return f"there is no video of {camera} for it"
        try:
            held = frames_held(episode.videos[camera], info.fps)
        except DatasetError as error:
            return str(error)
        if held != episode.length:
            return f"{camera} has {held} of its {episode.length} pictures"
    return ""
