"""Files of rows and videos that episodes are added to until they have the size that info.json names."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from smolvla_ros.data.episodes import Place, next_place
from smolvla_ros.data.info import Info
from smolvla_ros.data.video_slices import VideoSlice, alike, join
from smolvla_ros.data.whole_file import whole_file

MIB = 1024 * 1024


class RowFiles:
    """A context: its files are there once it has ended well. Every episode is a row group."""

    def __init__(self, root: Path, info: Info, last: Place | None) -> None:
        self._root, self._info, self._place = root, info, last
        self._open = ExitStack()
        self._path: Path | None = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> RowFiles:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.__exit__(kind, error, at)

    def add(self, table: pa.Table) -> Place:
        """Returns the file that the rows lie in."""
        if self._path is None or self._path.stat().st_size >= self._info.data_files_size_in_mb * MIB:
            self._open.close()
            self._place = next_place(self._place, self._info.chunks_size)
            name = self._info.data_path.format(chunk_index=self._place[0], file_index=self._place[1])
            self._path = self._open.enter_context(whole_file(self._root / name))
            self._writer = self._open.enter_context(pq.ParquetWriter(self._path, table.schema))
        assert self._writer is not None
        assert self._place is not None
        self._writer.write_table(table)
        return self._place


class VideoFiles:
    """One camera's. A file is written when it is full, the last one by `close`."""

    def __init__(self, root: Path, info: Info, camera: str, last: Place | None) -> None:
        self._root, self._info, self._camera = root, info, camera
        self._place = next_place(last, info.chunks_size)
        self._parts: list[VideoSlice] = []
        self._bytes = 0

    def add(self, part: VideoSlice) -> tuple[Place, float]:
        """Returns the file that it will lie in, and at which second of it."""
        size = part.size_bytes(self._info.fps)
        full = self._bytes + size > self._info.video_files_size_in_mb * MIB
        if self._parts and (full or not alike(self._parts[-1].path, part.path)):
            self.close()
            self._place = next_place(self._place, self._info.chunks_size)
        start_s = sum(earlier.frames for earlier in self._parts) / self._info.fps
        self._parts.append(part)
        self._bytes += size
        return self._place, start_s

    def close(self) -> None:
        if self._parts:
            place = {"chunk_index": self._place[0], "file_index": self._place[1]}
            name = str(self._info.video_path).format(video_key=self._camera, **place)
            join(self._root / name, self._parts, self._info.fps)
        self._parts, self._bytes = [], 0
