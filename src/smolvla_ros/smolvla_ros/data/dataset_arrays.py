"""A small dataset as arrays: made from a seed, written here or given to LeRobot, and read back from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.features import ACTION, IMAGE, STATE, Feature, camera, vector
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.writer import commit_parts, create_dataset, pending_parts, write_part

Arrays = dict[str, np.ndarray]
"""Columns (frames, *shape), pictures (frames, height, width, 3) uint8, `task` (frames,), `lengths` (episodes,)."""
FPS = 30
JOINTS = vector([f"joint_{i}.pos" for i in range(6)], ["degrees"] * 5 + ["range_0_100"])
FEATURES = {
    ACTION: JOINTS,
    STATE: JOINTS,
    "observation.images.top": camera(64, 96),
    "observation.images.wrist": camera(240, 320),
    "observation.grid": Feature("float32", (2, 3), ["row", "column"]),
    "next.reward": Feature("float32", (1,)),
}
TASKS = ("put the red cube in the blue box", "stelle den Würfel zurück")


def made_arrays(seed: int, lengths: tuple[int, ...]) -> Arrays:
    """Joints on random walks, pictures of a moving pattern, two tasks in turn."""
    random, frames = np.random.default_rng(seed), sum(lengths)
    arrays: Arrays = {
        ACTION: np.cumsum(random.standard_normal((frames, 6)), axis=0).astype(np.float32),
        STATE: np.cumsum(random.standard_normal((frames, 6)), axis=0).astype(np.float32),
        "observation.grid": random.standard_normal((frames, 2, 3)).astype(np.float32),
        "next.reward": random.random((frames, 1), dtype=np.float32),
        "lengths": np.array(lengths),
        "task": np.repeat([TASKS[i % 2] for i in range(len(lengths))], lengths),
    }
    for name, feature in FEATURES.items():
        if feature.is_camera:
            height, width, _ = feature.shape
            pattern = np.kron(random.integers(0, 256, (height // 16, width // 16, 3)), np.ones((16, 16, 1)))
            arrays[name] = np.stack([np.roll(pattern, 2 * i, axis=1) for i in range(frames)]).astype(np.uint8)
    return arrays


def input_of_lerobot(arrays: Arrays, path: Path, in_rows: bool = False) -> None:
    """The file that lerobot_dataset_peer.py takes to create or resume. in_rows: pictures are no videos."""
    features = {name: feature.to_json() for name, feature in FEATURES.items()}
    for name, feature in FEATURES.items():
        if in_rows and feature.is_camera:
            features[name]["dtype"] = IMAGE
    about = {"fps": FPS, "features": features, "robot_type": "so100"}
    contents: dict[str, Any] = {**arrays, "info": np.array(json.dumps(about))}
    np.savez(path, **contents)


def write_here(root: Path, arrays: Arrays, codec: str) -> None:
    """Adds all episodes, to a new dataset or to one that is there."""
    if not root.exists():
        create_dataset(root, FEATURES, FPS, "so100", codec)
    first, start = open_dataset(root).info.total_episodes + len(pending_parts(root)), 0
    for index, length in enumerate(arrays["lengths"], start=first):
        rows = slice(start, start + length)
        parts = {name: values[rows] for name, values in arrays.items() if name != "lengths"}
        tasks = [str(task) for task in parts.pop("task")]
        images = {name: parts.pop(name) for name in list(parts) if FEATURES[name].is_camera}
        write_part(root, index, RecordedEpisode(tasks, parts, images))
        start += length
    commit_parts(root)


def read_here(root: Path, horizon: int, every: int = 1) -> dict[str, Any]:
    """Under the names and in the shapes of what lerobot_dataset_peer.py reads."""
    dataset = open_dataset(root)
    rows = range(0, len(dataset), every)
    columns = {name: values[::every] for name, values in dataset.columns.items()}
    found: dict[str, Any] = {**columns, "task": np.array([dataset.task(row) for row in rows])}
    found[ACTION], found[f"{ACTION}_is_pad"] = dataset.chunks(rows, horizon)
    for name in dataset.info.cameras:
        found[name] = dataset.images(name, rows).transpose(0, 3, 1, 2)
    for feature, statistics in dataset.statistics.items():
        found |= {f"stats/{feature}/{name}": values for name, values in statistics.items()}
    found["lengths"] = np.array([episode.length for episode in dataset.episodes])
    return found
