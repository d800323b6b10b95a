"""Pictures that lie in the rows of a dataset as PNG or JPEG, by file and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.rows import DAMAGED


class EmbeddedImages:
    """Keeps the row group read last."""

    def __init__(self) -> None:
        self._key: tuple[Path, str] | None = None
        self._first = 0
        self._held: list[Any] = []

    def read(self, path: Path, camera: str, row: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB. Raises DatasetError."""
        raw = self.entry(path, camera, row)["bytes"]
        image = cv2.imdecode(np.frombuffer(raw or b"\0", np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise mismatch(f"{path}: {camera} at row {row}", "a PNG or JPEG picture", "none", DAMAGED)
        return np.ascontiguousarray(image[..., ::-1])

    def entry(self, path: Path, camera: str, row: int) -> dict[str, Any]:
        """As it is stored: "bytes" and "path". Raises DatasetError."""
        if self._key != (path, camera) or not self._first <= row < self._first + len(self._held):
            try:
                file = pq.ParquetFile(path)
                group, first = 0, 0
                while row >= first + file.metadata.row_group(group).num_rows:
                    first += file.metadata.row_group(group).num_rows
                    group += 1
                self._held = file.read_row_group(group, columns=[camera]).column(camera).to_pylist()
            except (OSError, pa.ArrowException) as error:
                raise mismatch(path, f"pictures of {camera}", error, DAMAGED) from None
            self._key, self._first = (path, camera), first
        held = self._held[row - self._first]
        return held if isinstance(held, dict) else {"bytes": held, "path": None}
