"""A LeRobotDataset of v3.0 or v2.1, read at random.

    dataset = open_dataset("~/so100_pick")
    dataset.column("observation.state")[12], dataset.image("observation.images.top", 12), dataset.task(12)
    actions, is_pad = dataset.chunks([12, 13], horizon=50)

Numbers are held in memory, pictures are decoded when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from smolvla_ros.data import version_21
from smolvla_ros.data.embedded_images import EmbeddedImages
from smolvla_ros.data.episodes import Episode, read_episode_statistics, read_episodes
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import Statistics, joined_by_feature
from smolvla_ros.data.features import ACTION, Feature
from smolvla_ros.data.info import V21, Info, read_info
from smolvla_ros.data.json_file import read_json
from smolvla_ros.data.rows import DAMAGED, read_columns, row_count
from smolvla_ros.data.tasks import read_old_tasks, read_tasks
from smolvla_ros.data.video_frames import VideoFrames


@dataclass(frozen=True)
class Dataset:
    """Rows are numbered over the whole dataset. Not for several threads at once; processes may each have a copy."""

    root: Path
    info: Info
    episodes: tuple[Episode, ...]
    tasks: tuple[str, ...]
    columns: dict[str, np.ndarray]
    _videos: VideoFrames = field(default_factory=VideoFrames, repr=False)
    _embedded: EmbeddedImages = field(default_factory=EmbeddedImages, repr=False)

    def __len__(self) -> int:
        """Rows."""
        return self.info.total_frames

    def column(self, feature: str) -> np.ndarray:
        """(rows, *shape), (rows,) where the shape is (1,). Raises DatasetError where there is no such column."""
        if feature not in self.columns:
            raise mismatch(f"{self.root}: feature", f"one of {', '.join(self.columns)}", feature, "name one of them")
        return self.columns[feature]

    def task(self, row: int) -> str:
        return self.tasks[int(self.columns["task_index"][row])]

    def episode_of(self, row: int) -> Episode:
        return self.episodes[int(np.searchsorted(self._ends, row, side="right"))]

    def image(self, camera: str, row: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB."""
        return self.images(camera, [row])[0]

    def images(self, camera: str, rows: Sequence[int]) -> np.ndarray:
        """(rows, height, width, 3) uint8 RGB. Raises DatasetError: no such camera, a damaged video."""
        if camera not in self.info.cameras:
            raise mismatch(f"{self.root}: camera", f"one of {', '.join(self.info.cameras)}", camera, "name one of them")
        return np.stack([self._image(camera, int(row)) for row in rows])

    def stored_images(self, camera: str, rows: Sequence[int]) -> np.ndarray:
        """(rows,) objects with "bytes" and "path": of a camera whose pictures lie in the rows, not decoded."""
        found = np.empty(len(rows), dtype=object)
        for place, row in enumerate(rows):
            episode = self.episode_of(row)
            found[place] = self._embedded.entry(episode.rows, camera, self._row_in_file(episode, row))
        return found

    def chunks(self, rows: Sequence[int], horizon: int, feature: str = ACTION) -> tuple[np.ndarray, np.ndarray]:
        """What follows each row within its episode: (rows, horizon, *shape) and is_pad (rows, horizon) bool.

        Behind the episode's end its last value is repeated and is_pad is true.
        """
        starts = np.asarray(rows)
        last = self._ends[np.searchsorted(self._ends, starts, side="right")] - 1
        wanted = starts[:, None] + np.arange(horizon)
        return self.column(feature)[np.minimum(wanted, last[:, None])], wanted > last[:, None]

    @cached_property
    def episode_statistics(self) -> list[dict[str, Statistics]]:
        """Of each episode: feature -> statistics, as the dataset holds them."""
        old = self.info.version == V21
        return (version_21.read_episode_statistics if old else read_episode_statistics)(self.root, self.info)

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Statistics of each feature of the whole, as the dataset holds them; of v2.1, its episodes' together."""
        if self.info.version == V21:
            return joined_by_feature(self.episode_statistics)
        raw = read_json(self.root / "meta" / "stats.json", "repair the dataset")
        return {f: {name: np.atleast_1d(np.array(v)) for name, v in values.items()} for f, values in raw.items()}

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.array([episode.end for episode in self.episodes], dtype=np.int64)

    def _image(self, camera: str, row: int) -> np.ndarray:
        episode = self.episode_of(row)
        if camera in self.info.embedded:
            return self._embedded.read(episode.rows, camera, self._row_in_file(episode, row))
        video = episode.videos[camera]
        time_s = video.start_s + float(self.columns["timestamp"][row])
        return self._videos.read(video.path, [time_s])[0]

    def _row_in_file(self, episode: Episode, row: int) -> int:
        return row - min(other.start for other in self.episodes if other.rows == episode.rows)


def open_dataset(root: str | Path) -> Dataset:
    """Raises DatasetError: no dataset, one of an unknown version, or files that are missing, cut or contradict it."""
    folder = Path(root).expanduser()
    info = read_info(folder)
    old = info.version == V21
    tasks = (read_old_tasks if old else read_tasks)(folder) if info.total_tasks else []
    episodes = (version_21.read_episodes if old else read_episodes)(folder, info) if info.total_episodes else []
    columns = _columns(folder, info, episodes)
    if len(columns["task_index"]) and not 0 <= columns["task_index"].min() <= columns["task_index"].max() < len(tasks):
        found = f"{columns['task_index'].min()} to {columns['task_index'].max()}"
        raise mismatch(f"{folder}: task_index", f"0 to {len(tasks) - 1}", found, DAMAGED)
    return Dataset(folder, info, tuple(episodes), tuple(tasks), columns)


def _columns(root: Path, info: Info, episodes: list[Episode]) -> dict[str, np.ndarray]:
    wanted: dict[str, Feature] = {
        name: feature for name, feature in info.features.items() if feature.is_number or feature.dtype == "string"
    }
    files = list(dict.fromkeys(episode.rows for episode in episodes))
    tables = [read_columns(path, wanted, 0, row_count(path)) for path in files]
    if not tables:
        empty = {name: () if f.shape == (1,) else f.shape for name, f in wanted.items()}
        return {name: np.zeros((0, *shape), dtype=np.float32) for name, shape in empty.items()}
    columns = {name: np.concatenate([table[name] for table in tables])[: info.total_frames] for name in wanted}
    if not np.array_equal(columns["index"], np.arange(info.total_frames)):
        found = f"{len(columns['index'])} rows, or rows in another order"
        raise mismatch(f"{root}: index", f"0 to {info.total_frames - 1}, in order", found, DAMAGED)
    _require_episodes(root, info, episodes)
    return columns


def _require_episodes(root: Path, info: Info, episodes: list[Episode]) -> None:
    end = 0
    for episode in episodes:
        if episode.start != end or episode.length < 1:
            raise mismatch(f"{root}: episode {episode.index}", f"its first row at {end}", episode.start, DAMAGED)
        end = episode.end
    if end != info.total_frames:
        raise mismatch(f"{root}: episodes", f"{info.total_frames} frames, as info.json says", end, DAMAGED)
