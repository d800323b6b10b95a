"""What a dataset's columns and cameras are: the entries under `features` of meta/info.json.

LeRobot's info.json does not tell in which unit joints are. Entries written here say so under `units`, one name a
component, which LeRobot keeps and does not read: "degrees", "range_m100_100", "range_0_100", "radians".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smolvla_ros.data.errors import mismatch

ACTION, STATE = "action", "observation.state"
VIDEO, IMAGE = "video", "image"
UNITS = ("degrees", "range_m100_100", "range_0_100", "radians")
REMEDY = "take a dataset that LeRobot can read"


@dataclass(frozen=True)
class Feature:
    """One entry. shape: of one frame, cameras (height, width, 3). names: of the components, in any form LeRobot has.

    units: one a component, None where the dataset does not tell. info: a camera's video settings.
    """

    dtype: str
    shape: tuple[int, ...]
    names: Any = None
    units: tuple[str, ...] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_camera(self) -> bool:
        return self.dtype in (VIDEO, IMAGE) and not self.is_depth

    @property
    def is_depth(self) -> bool:
        return bool(self.info.get("is_depth_map") or self.info.get("video.is_depth_map"))

    @property
    def is_number(self) -> bool:
        """Held in columns of numbers, which have statistics."""
        return self.dtype not in (VIDEO, IMAGE, "string", "language")

    @property
    def component_names(self) -> tuple[str, ...]:
        """Flat, also where older datasets nest them: {"motors": [...]}. Empty where there are none."""
        names = self.names
        if isinstance(names, Mapping):
            names = [name for part in names.values() for name in (part if isinstance(part, list) else [part])]
        return tuple(str(name) for name in names or ())

    def to_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "names": self.names}
        if self.units:
            entry["units"] = list(self.units)
        if self.info:
            entry["info"] = dict(self.info)
        return entry


INDEX_FEATURES = {
    "timestamp": Feature("float32", (1,)),
    "frame_index": Feature("int64", (1,)),
    "episode_index": Feature("int64", (1,)),
    "index": Feature("int64", (1,)),
    "task_index": Feature("int64", (1,)),
}
"""Columns that every dataset has and no caller gives."""


def vector(names: Sequence[str], units: Sequence[str]) -> Feature:
    """float32 values with a name and a unit each. Raises DatasetError."""
    if len(names) != len(units) or set(units) - set(UNITS):
        raise mismatch("units", f"one of {', '.join(UNITS)} for each of {list(names)}", list(units), "name them")
    return Feature("float32", (len(names),), list(names), tuple(units))


def camera(height: int, width: int) -> Feature:
    """A camera kept as video."""
    return Feature(VIDEO, (height, width, 3), ["height", "width", "channels"])


def parse_feature(where: str, raw: Any) -> Feature:
    """Raises DatasetError."""
    if not isinstance(raw, Mapping):
        raise mismatch(where, "a mapping with dtype and shape", raw, REMEDY)
    dtype, shape, units = raw.get("dtype"), raw.get("shape"), raw.get("units")
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape) or not shape:
        raise mismatch(f"{where}.shape", "a list of positive numbers", shape, REMEDY)
    if dtype not in (VIDEO, IMAGE, "string", "language"):
        try:
            np.dtype(dtype)
        except TypeError:
            raise mismatch(f"{where}.dtype", "a type of numbers, video, image or string", dtype, REMEDY) from None
    if units is not None and (not isinstance(units, list) or len(units) != shape[0]):
        raise mismatch(f"{where}.units", f"{shape[0]} names", units, REMEDY)
    info = raw.get("info") or raw.get("video_info") or {}  # video_info: datasets before v2.1
    if dtype in (VIDEO, IMAGE) and len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        shape = [*shape[1:], shape[0]]  # channels first, as old converters wrote
    return Feature(str(dtype), tuple(shape), raw.get("names"), tuple(units) if units else None, dict(info))
