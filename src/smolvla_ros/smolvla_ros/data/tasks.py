"""meta/tasks.parquet: the texts of a dataset's tasks, by number. A pandas frame with the text as its index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.json_file import read_json_lines, write_json_lines
from smolvla_ros.data.rows import DAMAGED, read_table
from smolvla_ros.data.whole_file import whole_file

TASKS_FILE, OLD_TASKS_FILE = Path("meta", "tasks.parquet"), Path("meta", "tasks.jsonl")
PANDAS = {
    "index_columns": ["task"],
    "column_indexes": [
        {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    ],
    "columns": [
        {
            "name": "task_index",
            "field_name": "task_index",
            "pandas_type": "int64",
            "numpy_type": "int64",
            "metadata": None,
        },
        {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None},
    ],
    "creator": {"library": "pyarrow", "version": pa.__version__},
    "pandas_version": "2.0.0",
}
"""What pandas itself would write beside the columns; LeRobot finds texts by the index that it names."""


def write_tasks(root: Path, tasks: Sequence[str]) -> None:
    columns = {"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())}
    with whole_file(root / TASKS_FILE) as part:
        pq.write_table(pa.table(columns).replace_schema_metadata({"pandas": json.dumps(PANDAS)}), part)


def read_tasks(root: Path) -> list[str]:
    """By task_index. Raises DatasetError."""
    path = root / TASKS_FILE
    table = read_table(path)
    texts = "task" if "task" in table.column_names else "__index_level_0__"
    if texts not in table.column_names or "task_index" not in table.column_names:
        raise mismatch(path, "columns task and task_index", table.column_names, DAMAGED)
    return _by_index(path, table.column("task_index").to_pylist(), table.column(texts).to_pylist())


def write_old_tasks(root: Path, tasks: Sequence[str]) -> None:
    """As v2.1 has them."""
    write_json_lines(root / OLD_TASKS_FILE, [{"task_index": i, "task": task} for i, task in enumerate(tasks)])


def read_old_tasks(root: Path) -> list[str]:
    """By task_index, of v2.1. Raises DatasetError."""
    path = root / OLD_TASKS_FILE
    lines = read_json_lines(path, DAMAGED)
    return _by_index(path, [line.get("task_index") for line in lines], [line.get("task") for line in lines])


def _by_index(path: Path, indices: list[int | None], texts: list[str | None]) -> list[str]:
    by_index = dict(zip(indices, texts, strict=True))
    if sorted(by_index, key=str) != sorted(range(len(texts)), key=str) or not all(
        isinstance(text, str) for text in texts
    ):
        raise mismatch(path, f"a text for each index 0 to {len(texts) - 1}", indices, DAMAGED)
    return [str(by_index[i]) for i in range(len(texts))]
