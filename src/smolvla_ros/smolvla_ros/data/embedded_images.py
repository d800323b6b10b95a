"""Pictures that lie in the rows of a dataset as PNG or JPEG, by file and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.rows import DAMAGED


class EmbeddedImages:
    """Keeps the row group read last."""

    def __init__(self) -> None:
        self._key: tuple[Path, str, int] | None = None
        self._held: list[Any] = []

    def read(self, path: Path, camera: str, row: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB. Raises DatasetError."""
        file = pq.ParquetFile(path)
        group, first = 0, 0
        while row >= first + file.metadata.row_group(group).num_rows:
            first += file.metadata.row_group(group).num_rows
            group += 1
        if self._key != (path, camera, group):
            self._held = file.read_row_group(group, columns=[camera]).column(camera).to_pylist()
            self._key = (path, camera, group)
        entry = self._held[row - first]
        raw = entry.get("bytes") if isinstance(entry, dict) else entry
        image = cv2.imdecode(np.frombuffer(raw or b"\0", np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise mismatch(f"{path}: {camera} at row {row}", "a PNG or JPEG picture", "none", DAMAGED)
        return np.ascontiguousarray(image[..., ::-1])
