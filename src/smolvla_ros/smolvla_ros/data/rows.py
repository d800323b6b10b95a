"""The rows of a dataset as parquet: a column a feature, a row a frame, a row group an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smolvla_ros.data.errors import DatasetError, mismatch
from smolvla_ros.data.features import IMAGE, Feature
from smolvla_ros.data.info import Info

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A picture in a row, as the datasets library has it."""
DAMAGED = "fetch the file again, or leave its episodes out"


def table_of(features: Mapping[str, Feature], columns: Mapping[str, np.ndarray]) -> pa.Table:
    """columns: (frames, *shape) of each feature that is no video; scalars where the shape is (1,).

    Of cameras in the rows (frames,) objects with "bytes" and "path".
    """
    arrays = {name: _array(features[name], columns[name]) for name in features if name in columns}
    return pa.table(arrays)


def index_columns(info: Info, episode: int, start: int, task_indices: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that every dataset has, of one episode whose first row is `start`."""
    frame = np.arange(len(task_indices), dtype=np.int64)
    return {
        "timestamp": (frame / info.fps).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full_like(frame, episode),
        "index": start + frame,
        "task_index": task_indices.astype(np.int64),
    }


def read_columns(path: Path, features: Mapping[str, Feature], first: int, rows: int) -> dict[str, np.ndarray]:
    """`rows` rows from `first` on, of these features: (rows, *shape), scalars (rows,). Raises DatasetError."""
    table = read_table(path, list(features)).slice(first, rows)
    if len(table) != rows:
        raise mismatch(path, f"{rows} rows from row {first} on", len(table), DAMAGED)
    return {name: _numbers(path, name, feature, table.column(name)) for name, feature in features.items()}


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Raises DatasetError: no parquet file, a cut one, or without these columns."""
    try:
        file = pq.ParquetFile(path)
        absent = [name for name in columns or () if name not in file.schema_arrow.names]
        if absent:
            raise mismatch(path, f"columns {list(columns or ())}", f"none named {absent}", DAMAGED)
        return file.read(columns=list(columns) if columns is not None else None)
    except (OSError, pa.ArrowException) as error:
        raise _no_parquet(path, error) from None


def row_count(path: Path) -> int:
    """Raises DatasetError."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _no_parquet(path, error) from None


def _no_parquet(path: Path, error: Exception) -> DatasetError:
    said = (str(error) or type(error).__name__).splitlines()[0]
    return mismatch(path, "a parquet file", said, DAMAGED)


def _array(feature: Feature, values: np.ndarray) -> pa.Array:
    if feature.dtype == "string":
        return pa.array([str(value) for value in values], pa.string())
    if feature.dtype == IMAGE:
        return pa.array(list(values), PICTURE)
    kind = pa.from_numpy_dtype(np.dtype(feature.dtype))
    values = np.ascontiguousarray(values, dtype=feature.dtype)
    array = pa.array(values.ravel(), kind)
    if feature.shape == (1,):
        return array
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(array, feature.shape[0])
    for size in reversed(feature.shape[1:]):
        array = pa.ListArray.from_arrays(np.arange(0, len(array) + 1, size, dtype=np.int32), array)
    size = feature.shape[0]
    return pa.ListArray.from_arrays(np.arange(0, len(array) + 1, size, dtype=np.int32), array)


def _numbers(path: Path, name: str, feature: Feature, column: Any) -> np.ndarray:
    if feature.dtype == "string":
        return np.array(column.to_pylist(), dtype=object)
    array, shape = column.combine_chunks(), () if feature.shape == (1,) else feature.shape
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    rows = len(array)
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    values = array.to_numpy(zero_copy_only=False)
    if array.null_count or values.size != rows * int(np.prod(shape)):
        raise mismatch(f"{path}: {name}", f"{rows} rows of shape {shape}", f"{values.size} values", DAMAGED)
    return np.ascontiguousarray(values.reshape(rows, *shape), dtype=feature.dtype)
