"""Files of rows and videos as they lie in a dataset's folder, and which episodes they hold without a list."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.info import Info
from smolvla_ros.data.video_slices import VideoSlice, opened


def row_files(root: Path, info: Info) -> list[Path]:
    """In the order of their numbers."""
    return sorted((root / info.data_path.split("/")[0]).rglob("*.parquet"), key=_numbers)


def episode_lengths(episode_index: np.ndarray) -> list[tuple[int, int, int]]:
    """(index, first row, length) of each run of rows of one episode, in their order; of an index the first."""
    edges = np.flatnonzero(np.diff(episode_index)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(episode_index)]
    found: dict[int, tuple[int, int, int]] = {}
    for start, end in zip(starts, ends, strict=True):
        index = int(episode_index[start])
        found.setdefault(index, (index, start, end - start))
    return list(found.values())


class FoundVideos:
    """Of v3.0: episodes follow each other in a camera's files, each whole in one of them."""

    def __init__(self, root: Path, info: Info) -> None:
        self._fps = info.fps
        folder = root / str(info.video_path).split("{", 1)[0] if info.video_path else root
        self._files = {
            camera: [(path, _frames(path)) for path in sorted((folder / camera).rglob("*.mp4"), key=_numbers)]
            for camera in info.videos
        }
        self._place = {camera: (0, 0) for camera in info.videos}

    def take(self, length: int) -> dict[str, VideoSlice]:
        """The next `length` frames of each camera; what has none left is not there."""
        found = {}
        for camera, files in self._files.items():
            file, used = self._place[camera]
            while file < len(files) and used + length > files[file][1]:
                file, used = file + 1, 0
            self._place[camera] = (file, used + length)
            if file < len(files):
                found[camera] = VideoSlice(files[file][0], used / self._fps, length)
        return found


def video_of_version_21(root: Path, info: Info, index: int, length: int) -> dict[str, VideoSlice]:
    """Of v2.1: a file an episode."""
    where = {"episode_chunk": index // int(info.chunks_size), "episode_index": index}
    return {
        camera: VideoSlice(root / str(info.video_path).format(video_key=camera, **where), 0.0, length)
        for camera in info.videos
    }


def _frames(path: Path) -> int:
    """0 where it is no video."""
    try:
        with opened(path) as container:
            return sum(1 for packet in container.demux(video=0) if packet.pts is not None)
    except DatasetError:
        return 0


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", f"{path.parent.name}/{path.name}"))
