"""Which rows and which stretches of which videos an episode is: meta/episodes of v3.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import Statistics
from smolvla_ros.data.info import Info
from smolvla_ros.data.rows import DAMAGED, read_table
from smolvla_ros.data.video_slices import VideoSlice
from smolvla_ros.data.whole_file import whole_file

EPISODES_FOLDER = Path("meta", "episodes")
FILE_NAME = "chunk-{chunk_index:03d}/file-{file_index:03d}"
Place = tuple[int, int]
"""chunk_index and file_index of a file."""


@dataclass(frozen=True)
class Episode:
    """start: its first row in the dataset. tasks: its texts, each once. rows: the file that holds its rows."""

    index: int
    start: int
    length: int
    tasks: tuple[str, ...]
    rows: Path
    videos: Mapping[str, VideoSlice]

    @property
    def end(self) -> int:
        """The row behind its last."""
        return self.start + self.length


@dataclass(frozen=True)
class PlacedEpisode:
    """An episode as it is entered. videos: camera -> file, and seconds in it where the episode begins."""

    index: int
    start: int
    length: int
    tasks: tuple[str, ...]
    rows: Place
    videos: Mapping[str, tuple[Place, float]]
    statistics: Mapping[str, Statistics]


def read_episodes(root: Path, info: Info) -> list[Episode]:
    """The first `total_episodes`; what else was begun is not there. Raises DatasetError."""
    entries = [row for table in _tables(root) for row in _without_statistics(table).to_pylist()]
    entries = sorted((e for e in entries if e["episode_index"] < info.total_episodes), key=lambda e: e["episode_index"])
    _require_all(root, info, [entry["episode_index"] for entry in entries])
    try:
        return [_episode(root, info, entry) for entry in entries]
    except (KeyError, TypeError) as error:
        raise mismatch(root / EPISODES_FOLDER, "the columns of v3.0", f"none that serves as {error}", DAMAGED) from None


def read_episode_statistics(root: Path, info: Info) -> list[dict[str, Statistics]]:
    """Of each episode: feature -> statistics. Raises DatasetError."""
    found: dict[int, dict[str, Statistics]] = {}
    for table in _tables(root):
        names = [name for name in table.column_names if name.startswith("stats/")]
        for entry in table.select(["episode_index", *names]).to_pylist():
            statistics: dict[str, Statistics] = {}
            for name in names:
                _, feature, statistic = name.split("/", 2)
                if entry[name] is not None:
                    statistics.setdefault(feature, {})[statistic] = np.array(entry[name])
            found[entry["episode_index"]] = statistics
    _require_all(root, info, sorted(index for index in found if index < info.total_episodes))
    return [found[index] for index in range(info.total_episodes)]


def last_places(root: Path, info: Info) -> dict[str, Place]:
    """The last file of rows (""), of episodes ("meta/episodes") and of each camera; what it lacks has no file yet."""
    places: dict[str, Place] = {}
    for table in _tables(root):
        kept = table.filter(pc.less(table["episode_index"], info.total_episodes))
        if not len(kept):
            continue
        for column in [name for name in kept.column_names if name.endswith("/chunk_index")]:
            owner = column.removesuffix("/chunk_index")
            pairs = zip(kept[column].to_pylist(), kept[f"{owner}/file_index"].to_pylist(), strict=True)
            name = "" if owner == "data" else owner.removeprefix("videos/")
            places[name] = max(places.get(name, (0, 0)), max(pairs))
    return places


def next_place(place: Place | None, chunks_size: int) -> Place:
    """The file after this one; the first where there is none."""
    if place is None:
        return 0, 0
    return (place[0] + 1, 0) if place[1] + 1 >= chunks_size else (place[0], place[1] + 1)


def write_episodes(root: Path, place: Place, episodes: Sequence[PlacedEpisode], fps: int) -> None:
    """A file of these episodes, with LeRobot's columns in LeRobot's order."""
    entries = [_entry(place, episode, fps) for episode in episodes]
    table = pa.table({name: pa.array([entry[name] for entry in entries]) for name in entries[0]})
    path = root / EPISODES_FOLDER / (FILE_NAME.format(chunk_index=place[0], file_index=place[1]) + ".parquet")
    with whole_file(path) as part:
        pq.write_table(table, part)


def _entry(place: Place, episode: PlacedEpisode, fps: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "episode_index": episode.index,
        "tasks": list(episode.tasks),
        "length": episode.length,
        "data/chunk_index": episode.rows[0],
        "data/file_index": episode.rows[1],
        "dataset_from_index": episode.start,
        "dataset_to_index": episode.start + episode.length,
    }
    for camera, ((chunk, file), start_s) in episode.videos.items():
        owner = f"videos/{camera}"
        entry |= {f"{owner}/chunk_index": chunk, f"{owner}/file_index": file}
        entry |= {f"{owner}/from_timestamp": start_s, f"{owner}/to_timestamp": start_s + episode.length / fps}
    for feature, statistics in episode.statistics.items():
        entry |= {f"stats/{feature}/{name}": values.tolist() for name, values in statistics.items()}
    return entry | {"meta/episodes/chunk_index": place[0], "meta/episodes/file_index": place[1]}


def _episode(root: Path, info: Info, entry: Mapping[str, Any]) -> Episode:
    length = int(entry["length"])
    videos = {}
    for camera in info.videos:
        owner = f"videos/{camera}"
        place = {"chunk_index": entry[f"{owner}/chunk_index"], "file_index": entry[f"{owner}/file_index"]}
        path = root / str(info.video_path).format(video_key=camera, **place)
        videos[camera] = VideoSlice(path, float(entry[f"{owner}/from_timestamp"]), length)
    rows = info.data_path.format(chunk_index=entry["data/chunk_index"], file_index=entry["data/file_index"])
    tasks = tuple(str(task) for task in entry["tasks"])
    start = int(entry["dataset_from_index"])
    return Episode(int(entry["episode_index"]), start, length, tasks, root / rows, videos)


def _tables(root: Path) -> list[pa.Table]:
    tables = [read_table(path) for path in sorted((root / EPISODES_FOLDER).glob("*/*.parquet"))]
    for table in tables:
        if "episode_index" not in table.column_names:
            raise mismatch(root / EPISODES_FOLDER, "a column episode_index", table.column_names[:8], DAMAGED)
    return tables


def _without_statistics(table: pa.Table) -> pa.Table:
    return table.select([name for name in table.column_names if not name.startswith("stats/")])


def _require_all(root: Path, info: Info, indices: list[int]) -> None:
    if indices != list(range(info.total_episodes)):
        missing = sorted(set(range(info.total_episodes)) - set(indices))[:8]
        found = f"{len(indices)}, without {missing}" if missing else f"{len(indices)}, some twice"
        raise mismatch(
            root / EPISODES_FOLDER, f"{info.total_episodes} episodes, as meta/info.json says", found, DAMAGED
        )
