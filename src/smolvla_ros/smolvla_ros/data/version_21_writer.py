"""A dataset in the layout of v2.1, for programs that read no newer one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from smolvla_ros.data.carried_files import carry_files
from smolvla_ros.data.commit import NOTES_FILE, read_notes
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.info import V21, Info, write_info
from smolvla_ros.data.json_file import write_json_lines
from smolvla_ros.data.rows import table_of
from smolvla_ros.data.tasks import write_old_tasks
from smolvla_ros.data.version_21 import DATA_PATH, EPISODES_FILE, STATISTICS_FILE, VIDEO_PATH
from smolvla_ros.data.video_slices import join
from smolvla_ros.data.whole_file import whole_folder


def write_version_21(dataset: Dataset, root: Path) -> None:
    """Writes it to `root` in the layout of v2.1, whole or not at all. Raises DatasetError: `root` is there."""
    if root.exists():
        raise mismatch(root, "a folder that is not there", "one that is", "name another")
    with whole_folder(root) as part:
        fill_version_21(dataset, part)


def fill_version_21(dataset: Dataset, part: Path) -> None:
    """Writes it to an empty folder. Raises DatasetError."""
    info = replace(
        dataset.info, version=V21, data_path=DATA_PATH, video_path=VIDEO_PATH if dataset.info.videos else None
    )
    chunks = -(-info.total_episodes // info.chunks_size)
    videos = info.total_episodes * len(info.videos)
    for episode in dataset.episodes:
        _write_episode(dataset, episode, part, info)
    carry_files([dataset.root], part)
    if (dataset.root / NOTES_FILE).exists():
        write_json_lines(part / NOTES_FILE, read_notes(dataset.root, dataset.info))
    write_old_tasks(part, dataset.tasks)
    entries = [{"episode_index": e.index, "tasks": e.tasks, "length": e.length} for e in dataset.episodes]
    write_json_lines(part / EPISODES_FILE, entries)
    statistics = enumerate(dataset.episode_statistics)
    write_json_lines(part / STATISTICS_FILE, [{"episode_index": i, "stats": found} for i, found in statistics])
    write_info(part, replace(info, extra={"total_videos": videos, "total_chunks": chunks}))


def _write_episode(dataset: Dataset, episode: Episode, root: Path, info: Info) -> None:
    where = {"episode_chunk": episode.index // int(info.chunks_size), "episode_index": episode.index}
    rows = slice(episode.start, episode.end)
    path = root / info.data_path.format(**where)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: values[rows] for name, values in dataset.columns.items()}
    columns |= {name: dataset.stored_images(name, range(episode.start, episode.end)) for name in info.embedded}
    pq.write_table(table_of(info.features, columns), path)
    for camera, video in episode.videos.items():
        join(root / str(info.video_path).format(video_key=camera, **where), [video], info.fps)
