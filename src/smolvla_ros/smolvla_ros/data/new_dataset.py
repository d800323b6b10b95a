"""A dataset made of episodes of others. Whatever changes a dataset is a stream of episodes that ends here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from smolvla_ros.data.carried_files import carry_files
from smolvla_ros.data.commit import append
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import INDEX_FEATURES, Feature
from smolvla_ros.data.info import V21, V30, Info, write_info
from smolvla_ros.data.version_21_writer import fill_version_21
from smolvla_ros.data.whole_file import WRITING, replaced_folder, whole_folder


def fill_dataset(
    folder: Path,
    like: Info,
    parts: Iterable[EpisodePart],
    sources: Sequence[Path],
    version: str = V30,
    features: Mapping[str, Feature] | None = None,
) -> Info:
    """Writes the parts to an empty folder. Raises DatasetError.

    like: whose rate, robot and features it has, unless `features` names others. sources: whose embodiment file it keeps
    where they agree.
    """
    if version == V21:
        with TemporaryDirectory(dir=folder.parent, suffix=WRITING) as work:
            fill_dataset(Path(work), like, parts, sources, V30, features)
            made = open_dataset(work)
            fill_version_21(made, folder)
            return made.info
    given = dict(features or like.given)
    empty = Info(fps=like.fps, features={**given, **INDEX_FEATURES}, robot_type=like.robot_type)
    write_info(folder, replace(empty, video_path=Info.video_path if empty.videos else None))
    carry_files(sources, folder)
    info = append(folder, parts)
    if not info.total_episodes:
        raise mismatch(folder, "at least one episode", "none", "leave some of them in, or delete the dataset")
    return info


@contextmanager
def new_or_in_place(root: Path, output: Path | None, keep: bool = True) -> Iterator[Path]:
    """Gives an empty folder. It becomes `output`, or takes the place of `root`, which is kept beside it on request.

    Raises DatasetError where `output` is there.
    """
    if output is None:
        with replaced_folder(root, keep) as folder:
            yield folder
        return
    require_absent(output)
    with whole_folder(output) as folder:
        yield folder


def require_absent(path: Path) -> None:
    """Raises DatasetError."""
    if path.exists():
        raise mismatch(path, "a folder that is not there", "one that is", "name another")
