"""A new dataset, or further episodes of one: parts written in any order and by any number of processes, then committed.

    create_dataset(root, features, fps=30, robot_type="so100")
    write_part(root, 0, episode); write_part(root, 1, episode)      # whole or not at all
    commit_parts(root)                                              # so are all of them together

After an interruption, `pending_parts` says which need not be written again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from smolvla_ros.data.commit import append
from smolvla_ros.data.embodiment_file import save_embodiment
from smolvla_ros.data.episode_part import EpisodePart, read_part_folder, write_part_folder
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import INDEX_FEATURES, VIDEO, Feature
from smolvla_ros.data.info import INFO_FILE, Info, read_info, write_info
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.video_encoder import codec_named, video_settings
from smolvla_ros.embodiment import Embodiment

PARTS_FOLDER = ".parts"


def create_dataset(
    root: Path,
    features: Mapping[str, Feature],
    fps: int,
    robot_type: str | None,
    codec: str = "h264",
    embodiment: Embodiment | None = None,
) -> Info:
    """A dataset of no episodes. codec: "h264", or LeRobot's own "av1", which is slower to write.

    embodiment: the robot it is recorded on, whose file is saved as meta/embodiment.yaml.

    Raises DatasetError where there is one, or a camera has no video's shape.
    """
    if (root / INFO_FILE).exists():
        raise mismatch(root, "a folder without a dataset", f"{INFO_FILE} in it", "name another, or add to this one")
    if not isinstance(fps, int) or fps < 1:
        raise mismatch("fps", "a whole number above 0", fps, "give the rate of the cameras")
    described = {name: _with_codec(name, feature, fps, codec) for name, feature in features.items()}
    info = Info(fps=fps, features={**described, **INDEX_FEATURES}, robot_type=robot_type)
    if not info.videos:
        info = replace(info, video_path=None)
    if embodiment:
        save_embodiment(root, embodiment)
    write_info(root, info)
    return info


def write_part(root: Path, index: int, episode: RecordedEpisode) -> None:
    """Episode `index` of the dataset-to-be. Raises DatasetError: it does not fit, or is there already."""
    info = read_info(root)
    if index < info.total_episodes or index in pending_parts(root):
        remedy = f"go on with {_next(root, info)}"
        raise mismatch(f"episode {index}", "one that is not there yet", "one that is", remedy)
    write_part_folder(_folder(root, index), info, episode)


def pending_parts(root: Path) -> list[int]:
    """Episodes that are written and not committed."""
    total = read_info(root).total_episodes
    found = (
        int(folder.name.removeprefix("episode-")) for folder in (root / PARTS_FOLDER).glob("episode-" + "[0-9]" * 6)
    )
    return sorted(index for index in found if index >= total)


def part_notes(root: Path, index: int) -> dict[str, Any]:
    """What was noted of an episode that is written and not committed. Raises DatasetError."""
    return dict(read_part_folder(_folder(root, index), read_info(root)).notes)


def close_up_parts(root: Path) -> None:
    """Renumbers the parts so that none is missing between them: those that never came are left out."""
    for place, index in enumerate(pending_parts(root), start=read_info(root).total_episodes):
        if place != index:
            _folder(root, index).rename(_folder(root, place))


def commit_parts(root: Path) -> Info:
    """Makes all parts episodes. Raises DatasetError where one is missing between them."""
    info = read_info(root)
    pending = pending_parts(root)
    expected = list(range(info.total_episodes, info.total_episodes + len(pending)))
    if pending != expected:
        missing = sorted(set(range(info.total_episodes, max(pending))) - set(pending))
        raise mismatch(f"{root}: parts", "each episode up to the last", f"none for {missing}", "write these first")

    def parts() -> Iterator[EpisodePart]:
        for index in pending:
            yield read_part_folder(_folder(root, index), info)

    grown = append(root, parts())
    shutil.rmtree(root / PARTS_FOLDER, ignore_errors=True)
    return grown


def _folder(root: Path, index: int) -> Path:
    return root / PARTS_FOLDER / f"episode-{index:06d}"


def _next(root: Path, info: Info) -> int:
    taken = set(pending_parts(root))
    return next(
        index for index in range(info.total_episodes, info.total_episodes + len(taken) + 1) if index not in taken
    )


def _with_codec(name: str, feature: Feature, fps: int, codec: str) -> Feature:
    if feature.dtype != VIDEO:
        if feature.is_camera or feature.is_depth:
            raise mismatch(name, "a camera kept as video", feature.dtype, "describe it with features.camera")
        return feature
    height, width = feature.shape[:2]
    if len(feature.shape) != 3 or feature.shape[2] != 3 or height % 2 or width % 2:
        raise mismatch(name, "(height, width, 3), both even", feature.shape, "crop the pictures by a pixel")
    return replace(feature, info=video_settings(codec_named(codec), height, width, fps))
