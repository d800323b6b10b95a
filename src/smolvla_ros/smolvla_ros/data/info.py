"""meta/info.json: what a dataset is and how many of its episodes are whole.

It is the last file that a commit writes. Whatever else lies in the folder, its `total_episodes` episodes and
`total_frames` frames are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import IMAGE, INDEX_FEATURES, REMEDY, VIDEO, Feature, parse_feature
from smolvla_ros.data.json_file import read_json, write_json

INFO_FILE = Path("meta", "info.json")
V30, V21 = "v3.0", "v2.1"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
TOTALS = ("total_episodes", "total_frames", "total_tasks")
NUMBERS = (*TOTALS, "chunks_size", "data_files_size_in_mb", "video_files_size_in_mb")
KNOWN = {"codebase_version", "robot_type", "fps", "features", "data_path", "video_path", "splits", *NUMBERS}


@dataclass(frozen=True)
class Info:
    """features: all, the index columns last. extra: fields that LeRobot's versions add, kept as they are."""

    fps: int
    features: dict[str, Feature]
    robot_type: str | None = None
    version: str = V30
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = 1000
    data_files_size_in_mb: float = 100
    video_files_size_in_mb: float = 200
    data_path: str = DATA_PATH
    video_path: str | None = VIDEO_PATH
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Of colour; depth maps are not read."""
        return tuple(name for name, feature in self.features.items() if feature.is_camera)

    @property
    def videos(self) -> tuple[str, ...]:
        return tuple(name for name in self.cameras if self.features[name].dtype == VIDEO)

    @property
    def embedded(self) -> tuple[str, ...]:
        """Cameras whose pictures lie in the rows."""
        return tuple(name for name in self.cameras if self.features[name].dtype == IMAGE)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns of numbers, the index columns among them."""
        return tuple(name for name, feature in self.features.items() if feature.is_number)

    @property
    def given(self) -> dict[str, Feature]:
        """All but the index columns."""
        return {name: feature for name, feature in self.features.items() if name not in INDEX_FEATURES}

    def grown(self, episodes: int, frames: int, tasks: int) -> Info:
        """With new totals."""
        return replace(self, total_episodes=episodes, total_frames=frames, total_tasks=tasks)


def read_info(root: Path) -> Info:
    """Raises DatasetError: no dataset, or of a version that is not read."""
    path = root / INFO_FILE
    raw = read_json(path, "give the folder of a LeRobot dataset, the one that holds meta/info.json")
    version = raw.get("codebase_version")
    if version not in (V30, V21):
        raise mismatch(f"{path}: codebase_version", f"{V30} or {V21}", version, "convert it with lerobot's own scripts")
    features = raw.get("features")
    if not isinstance(features, Mapping) or not features:
        raise mismatch(f"{path}: features", "a mapping of features", features, REMEDY)
    defaults = Info(fps=1, features={})
    numbers = {name: raw.get(name, getattr(defaults, name)) for name in NUMBERS}
    for name, value in {"fps": raw.get("fps"), **numbers}.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < (0 if "total" in name else 1e-9):
            raise mismatch(f"{path}: {name}", "a positive number", value, REMEDY)
    fps = raw["fps"]
    if fps != int(fps):
        raise mismatch(f"{path}: fps", "a whole number", fps, REMEDY)
    parsed = {name: parse_feature(f"{path}: features.{name}", entry) for name, entry in features.items()}
    for name in INDEX_FEATURES:
        if name not in parsed:
            raise mismatch(f"{path}: features", f"'{name}', which every dataset has", list(parsed), REMEDY)
    if not isinstance(raw.get("data_path"), str):
        raise mismatch(f"{path}: data_path", "a path with placeholders", raw.get("data_path"), REMEDY)
    return Info(
        fps=int(fps),
        features=parsed,
        robot_type=raw.get("robot_type"),
        version=version,
        **numbers,
        data_path=raw["data_path"],
        video_path=raw.get("video_path"),
        extra={name: value for name, value in raw.items() if name not in KNOWN},
    )


def write_info(root: Path, info: Info) -> None:
    sizes = {"data_files_size_in_mb": info.data_files_size_in_mb, "video_files_size_in_mb": info.video_files_size_in_mb}
    write_json(
        root / INFO_FILE,
        {
            "codebase_version": info.version,
            "fps": info.fps,
            "features": {name: feature.to_json() for name, feature in info.features.items()},
            "total_episodes": info.total_episodes,
            "total_frames": info.total_frames,
            "total_tasks": info.total_tasks,
            "chunks_size": info.chunks_size,
            **(sizes if info.version == V30 else {}),
            "data_path": info.data_path,
            "video_path": info.video_path,
            "robot_type": info.robot_type,
            "splits": {"train": f"0:{info.total_episodes}"},
            **info.extra,
        },
    )
