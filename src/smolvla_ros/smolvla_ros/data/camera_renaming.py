"""A dataset with other names for its cameras. meta/camera_names.json keeps the first ones, so that it can be undone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from smolvla_ros.data.carried_files import CAMERA_NAMES_FILE
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.dataset_parts import parts_of
from smolvla_ros.data.embodiment_file import embodiment_text, write_embodiment_text
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.json_file import read_json, write_json
from smolvla_ros.data.new_dataset import fill_dataset, new_or_in_place


def rename_cameras(dataset: Dataset, names: Mapping[str, str], output: Path | None) -> None:
    """names: feature -> new feature, of all cameras. In place or as a new dataset. Raises DatasetError.

    The cameras of its embodiment file get the same names.
    """
    originals = {names[camera]: first for camera, first in original_names(dataset).items()}
    features = {names.get(name, name): feature for name, feature in dataset.info.given.items()}
    parts = (_renamed(part, names) for part in parts_of(dataset, range(len(dataset.episodes))))
    with new_or_in_place(dataset.root, output, keep=False) as folder:
        fill_dataset(folder, dataset.info, parts, [dataset.root], dataset.info.version, features)
        (folder / CAMERA_NAMES_FILE).unlink(missing_ok=True)
        if any(name != first for name, first in originals.items()):
            write_json(folder / CAMERA_NAMES_FILE, originals)
        text = embodiment_text(folder)
        if text is not None:
            write_embodiment_text(folder, _with_names(text, names))


def original_names(dataset: Dataset) -> dict[str, str]:
    """Each camera's feature -> the one that it was recorded under. Raises DatasetError."""
    path = dataset.root / CAMERA_NAMES_FILE
    held = read_json(path, "delete the file: renames can then not be undone") if path.is_file() else {}
    return {camera: str(held.get(camera, camera)) for camera in dataset.info.cameras}


def _renamed(part: EpisodePart, names: Mapping[str, str]) -> EpisodePart:
    return replace(
        part,
        columns={names.get(name, name): values for name, values in part.columns.items()},
        videos={names[camera]: video for camera, video in part.videos.items()},
        image_statistics={names[camera]: found for camera, found in part.image_statistics.items()},
    )


def _with_names(text: str, names: Mapping[str, str]) -> str:
    """An embodiment file with other features of cameras, its comments kept."""
    return re.sub(r"(feature:\s*[\"']?)([\w.]+)", lambda found: found[1] + names.get(found[2], found[2]), text)
