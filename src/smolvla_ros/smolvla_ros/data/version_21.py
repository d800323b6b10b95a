"""The layout of v2.1: a file of rows and one of video for each episode, lists as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import Statistics
from smolvla_ros.data.info import Info
from smolvla_ros.data.json_file import read_json_lines
from smolvla_ros.data.rows import DAMAGED
from smolvla_ros.data.video_slices import VideoSlice

EPISODES_FILE, STATISTICS_FILE = Path("meta", "episodes.jsonl"), Path("meta", "episodes_stats.jsonl")
DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


def read_episodes(root: Path, info: Info) -> list[Episode]:
    """Raises DatasetError."""
    path = root / EPISODES_FILE
    entries = {entry.get("episode_index"): entry for entry in read_json_lines(path, DAMAGED)}
    episodes: list[Episode] = []
    for index in range(info.total_episodes):
        entry = entries.get(index, {})
        length, tasks = entry.get("length"), entry.get("tasks")
        if not isinstance(length, int) or length < 1 or not isinstance(tasks, list):
            raise mismatch(path, f"length and tasks of episode {index}", entry or "no such episode", DAMAGED)
        where = {"episode_chunk": index // int(info.chunks_size), "episode_index": index}
        videos = {
            camera: VideoSlice(root / str(info.video_path).format(video_key=camera, **where), 0.0, length)
            for camera in info.videos
        }
        start = episodes[-1].end if episodes else 0
        rows = root / info.data_path.format(**where)
        episodes.append(Episode(index, start, length, tuple(str(task) for task in tasks), rows, videos))
    return episodes


def read_episode_statistics(root: Path, info: Info) -> list[dict[str, Statistics]]:
    """Of each episode: feature -> statistics, without quantiles. Raises DatasetError."""
    path = root / STATISTICS_FILE
    lines = {line.get("episode_index"): line.get("stats") for line in read_json_lines(path, DAMAGED)}
    found = []
    for index in range(info.total_episodes):
        statistics = lines.get(index)
        if not isinstance(statistics, Mapping):
            raise mismatch(path, f"statistics of episode {index}", statistics, DAMAGED)
        found.append({f: {n: np.array(v) for n, v in values.items()} for f, values in statistics.items()})
    return found
