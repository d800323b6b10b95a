"""Parts become episodes of a dataset: rows and videos of many in one file, as v3.0 has them.

The order makes a cut at any moment harmless: new files first, with numbers that no committed episode names, then the
texts, the list of episodes and the statistics, and meta/info.json last, which says how many episodes count. A reader,
LeRobot's too, sees either the episodes from before or all; the next commit removes what was begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.episodes import (
    EPISODES_FOLDER,
    PlacedEpisode,
    last_places,
    next_place,
    read_episode_statistics,
    read_episodes,
    write_episodes,
)
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import Statistics, joined_by_feature, vector_statistics
from smolvla_ros.data.growing_files import RowFiles, VideoFiles
from smolvla_ros.data.info import V30, Info, read_info, write_info
from smolvla_ros.data.json_file import read_json_lines, write_json, write_json_lines
from smolvla_ros.data.rows import index_columns, table_of
from smolvla_ros.data.tasks import read_tasks, write_tasks
from smolvla_ros.data.whole_file import WRITING

STATISTICS_FILE, NOTES_FILE = Path("meta", "stats.json"), Path("meta", "episode_notes.jsonl")


def append(root: Path, parts: Iterable[EpisodePart]) -> Info:
    """Adds parts in order as the next episodes, all of them or none. Raises DatasetError."""
    info = read_info(root)
    if info.version != V30:
        raise mismatch(root, f"a dataset of {V30}", info.version, "convert it first")
    remove_uncommitted(root, info)
    tasks = read_tasks(root) if info.total_tasks else []
    notes = read_notes(root, info)
    last = last_places(root, info)
    videos = {camera: VideoFiles(root, info, camera, last.get(camera)) for camera in info.videos}
    placed: list[PlacedEpisode] = []
    frames = info.total_frames
    with RowFiles(root, info, last.get("")) as rows:
        for index, part in enumerate(parts, start=info.total_episodes):
            texts = list(dict.fromkeys(part.tasks))
            tasks += [text for text in texts if text not in tasks]
            indices = np.array([tasks.index(text) for text in part.tasks])
            columns = {**part.columns, **index_columns(info, index, frames, indices)}
            place = rows.add(table_of(info.features, columns))
            clips = {camera: videos[camera].add(part.videos[camera]) for camera in info.videos}
            found = _statistics(info, columns, part)
            placed.append(PlacedEpisode(index, frames, part.frames, tuple(texts), place, clips, found))
            notes.append({"episode_index": index, **part.notes})
            frames += part.frames
    for files in videos.values():
        files.close()
    if not placed:
        return info
    write_tasks(root, tasks)
    write_json_lines(root / NOTES_FILE, notes)
    write_episodes(root, next_place(last.get("meta/episodes"), info.chunks_size), placed, info.fps)
    grown = info.grown(info.total_episodes + len(placed), frames, len(tasks))
    write_json(root / STATISTICS_FILE, joined_by_feature(read_episode_statistics(root, grown)))
    write_info(root, grown)
    return grown


def remove_uncommitted(root: Path, info: Info) -> list[Path]:
    """Deletes files of rows, videos and episodes that no committed episode names. Returns them."""
    episodes = read_episodes(root, info)
    kept = {episode.rows for episode in episodes} | {s.path for episode in episodes for s in episode.videos.values()}
    lists = last_places(root, info).get("meta/episodes", (-1, -1))
    known = [*root.glob("data/**/*.parquet"), *root.glob("videos/**/*.mp4")]
    begun = [path for path in known if path not in kept]
    for path in root.glob(f"{EPISODES_FOLDER}/*/*.parquet"):
        place = int(path.parent.name.removeprefix("chunk-")), int(path.stem.removeprefix("file-"))
        begun += [path] if place > lists else []
    for folder in ("data", "videos", "meta"):  # parts that other processes write are left alone
        begun += root.glob(f"{folder}/**/*{WRITING}")
    for path in begun:
        if path.is_file():
            path.unlink()
    return begun


def read_notes(root: Path, info: Info) -> list[dict[str, object]]:
    """What was noted of each episode, with its episode_index. Raises DatasetError."""
    path = root / NOTES_FILE
    lines = read_json_lines(path, "delete the file: only the notes are lost") if path.exists() else []
    by_index = {line.get("episode_index"): line for line in lines}
    return [by_index.get(index, {"episode_index": index}) for index in range(info.total_episodes)]


def _statistics(info: Info, columns: dict[str, np.ndarray], part: EpisodePart) -> dict[str, Statistics]:
    """In the order of the features, as LeRobot's columns are."""
    found = {name: vector_statistics(columns[name]) for name in info.numbers} | dict(part.image_statistics)
    return {name: found[name] for name in info.features if name in found}
