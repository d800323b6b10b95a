"""What a dataset holds, in figures: for people who look at it and programs that choose one."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE
from smolvla_ros.data.features import INDEX_FEATURES, Feature
from smolvla_ros.data.whole_file import WRITING
from smolvla_ros.data.writer import PARTS_FOLDER, pending_parts


@dataclass(frozen=True)
class TaskFacts:
    """A text and the number of episodes in which it occurs."""

    text: str
    episodes: int


@dataclass(frozen=True)
class FeatureFacts:
    """codec: of a camera, "in the rows" where its pictures are no video."""

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    units: tuple[str, ...] | None
    codec: str | None


@dataclass(frozen=True)
class Description:
    """episode_s: the length of each. embodiment: its file in the dataset. unfinished: what an interruption left."""

    root: str
    version: str
    robot_type: str | None
    fps: int
    frames: int
    episode_s: tuple[float, ...]
    bytes: int
    embodiment: str | None
    tasks: tuple[TaskFacts, ...]
    features: dict[str, FeatureFacts]
    unfinished: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def describe(dataset: Dataset) -> Description:
    """Of all but the index columns."""
    info, root = dataset.info, dataset.root
    counted = Counter(task for episode in dataset.episodes for task in episode.tasks)
    return Description(
        root=str(root),
        version=info.version,
        robot_type=info.robot_type,
        fps=info.fps,
        frames=len(dataset),
        episode_s=tuple(episode.length / info.fps for episode in dataset.episodes),
        bytes=sum(path.stat().st_size for path in root.rglob("*") if path.is_file()),
        embodiment=str(EMBODIMENT_FILE) if (root / EMBODIMENT_FILE).is_file() else None,
        tasks=tuple(TaskFacts(text, counted[text]) for text in dataset.tasks),
        features={name: _facts(f) for name, f in info.features.items() if name not in INDEX_FEATURES},
        unfinished=unfinished(root),
    )


def unfinished(root: Path) -> str:
    """What is written and not part of the dataset yet; "" where nothing is."""
    parts = len(pending_parts(root))
    begun = sum(1 for path in root.rglob(f"*{WRITING}") if PARTS_FOLDER not in path.parts)
    found = [f"{parts} episodes not committed"] if parts else []
    return ", ".join(found + ([f"{begun} files not written to their end"] if begun else []))


def _facts(feature: Feature) -> FeatureFacts:
    codec = None
    if feature.is_camera:
        codec = str(feature.info.get("video.codec", "video")) if feature.dtype == "video" else "in the rows"
    return FeatureFacts(feature.dtype, feature.shape, feature.component_names, feature.units, codec)
