"""One episode on its way into a dataset: a folder that is there whole or not at all.

Parts know nothing of other episodes, so that several processes can write them at once, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.feature_statistics import ImageStatistics, Statistics, sampled_frames
from smolvla_ros.data.info import Info
from smolvla_ros.data.json_file import read_json, write_json
from smolvla_ros.data.recorded_episode import RecordedEpisode, require_fit
from smolvla_ros.data.rows import read_columns, table_of
from smolvla_ros.data.video_encoder import codec_named, encode_video
from smolvla_ros.data.video_slices import VideoSlice
from smolvla_ros.data.whole_file import whole_folder

ROWS_FILE, PART_FILE = "rows.parquet", "part.json"
REMEDY = "delete the folder and write the episode again"


@dataclass(frozen=True)
class EpisodePart:
    """What a commit takes. tasks: of each frame. columns: without the index columns. image_statistics: of cameras."""

    tasks: Sequence[str]
    columns: Mapping[str, np.ndarray]
    videos: Mapping[str, VideoSlice]
    image_statistics: Mapping[str, Statistics]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return len(self.tasks)


def write_part_folder(folder: Path, info: Info, episode: RecordedEpisode) -> None:
    """Encodes its videos with the dataset's codec. Raises DatasetError where it does not fit the dataset."""
    require_fit(info, episode)
    frames = episode.frames
    with whole_folder(folder) as part:
        statistics = {}
        for camera in info.videos:
            feature, samples = info.features[camera], ImageStatistics()
            codec = codec_named(str(feature.info.get("video.codec")))
            seen = partial(_sample, samples, set(sampled_frames(frames)))
            encoded = encode_video(part / f"{camera}.mp4", episode.images[camera], feature.shape, info.fps, codec, seen)
            if encoded != frames:
                raise mismatch(camera, f"{frames} images, one for each row", encoded, "give a picture for every frame")
            statistics[camera] = samples.result()
        pq.write_table(table_of(info.given, episode.columns), part / ROWS_FILE)
        about = {"tasks": episode.tasks, "image_statistics": statistics, "notes": dict(episode.notes)}
        write_json(part / PART_FILE, about)


def read_part_folder(folder: Path, info: Info) -> EpisodePart:
    """Raises DatasetError."""
    about = read_json(folder / PART_FILE, REMEDY)
    frames = len(about["tasks"])
    columns = {name: feature for name, feature in info.given.items() if name not in info.cameras}
    statistics = {
        camera: {name: np.array(values) for name, values in found.items()}
        for camera, found in about["image_statistics"].items()
    }
    return EpisodePart(
        tasks=about["tasks"],
        columns=read_columns(folder / ROWS_FILE, columns, 0, frames),
        videos={camera: VideoSlice(folder / f"{camera}.mp4", 0.0, frames) for camera in info.videos},
        image_statistics=statistics,
        notes=about["notes"],
    )


def _sample(samples: ImageStatistics, wanted: set[int], index: int, image: np.ndarray) -> None:
    if index in wanted:
        samples.add(image)
