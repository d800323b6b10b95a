"""Bags to a dataset: an episode each, in several processes, going on where an earlier run stopped.

What is done already is known by what the dataset itself says: each episode's notes name its bag. So the same command
may be given again after any interruption, and with further bags later.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from smolvla_ros.bags.errors import mismatch
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.conversion.episode import BAG_ID, Conversion, Converted, bag_id, convert_bag
from smolvla_ros.data.commit import read_notes
from smolvla_ros.data.embodiment_features import features_of, require_same_joints
from smolvla_ros.data.embodiment_file import EMBODIMENT_FILE
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.info import INFO_FILE, V30, Info, read_info
from smolvla_ros.data.writer import (
    close_up_parts,
    commit_parts,
    create_dataset,
    part_notes,
    pending_parts,
)
from smolvla_ros.embodiment import Embodiment, load_embodiment

PROGRESS_PERIOD_S = 0.3


@dataclass(frozen=True)
class BagFacts:
    """What is known of a bag before it is read. embodiment: the text saved with it, "" where there is none."""

    path: Path
    id: str
    embodiment: str
    succeeded: bool | None
    duration_s: float
    messages: int


def look_at(path: Path) -> BagFacts:
    """Raises BagError."""
    with open_bag(path) as bag:
        notes = bag.notes
        return BagFacts(
            path,
            bag_id(bag),
            notes.embodiment if notes else "",
            notes.succeeded if notes else None,
            bag.duration_s,
            bag.messages_held,
        )


def open_or_create(
    root: Path, bags: Sequence[BagFacts], embodiment: Path | None, fps: int | None, codec: str
) -> tuple[Embodiment, Info]:
    """The dataset to add to, and the robot: as named, else the dataset's, the bags', or the SO-100.

    Raises BagError where bags are of different robots, DatasetError where the dataset is of another, EmbodimentError.
    """
    saved = root / EMBODIMENT_FILE
    file = embodiment or (saved if saved.exists() else None)
    texts = {facts.embodiment: facts.path for facts in reversed(bags) if facts.embodiment}
    with tempfile.TemporaryDirectory() as folder:
        robots = {}
        for number, (text, path) in enumerate(texts.items()):
            copy = Path(folder, f"{number}.yaml")
            copy.write_text(text, encoding="utf-8")
            robots[path] = load_embodiment(copy)
        robot = load_embodiment(file) if file else next(reversed(robots.values()), load_embodiment())
        for path, other in robots.items():
            if features_of(other) != features_of(robot):
                remedy = "convert each robot's bags to a dataset of its own, or say which robot it is (--embodiment)"
                if embodiment is None:
                    raise mismatch(path, f"the joints, units and cameras of {_first(bags)}", "others", remedy)
        rate = fps or round(robot.rates.policy_hz)
        if not (root / INFO_FILE).exists():
            create_dataset(root, features_of(robot), rate, robot.robot_type, codec, robot)
    info = read_info(root)
    require_same_joints(info.features, robot)
    if info.version != V30 or (fps and info.fps != fps):
        raise DatasetError(
            f"{root}: expected a dataset of {V30} at {fps or info.fps} frames a second, found {info.version} "
            f"at {info.fps}; name another folder"
        )
    return load_embodiment(saved) if saved.exists() else robot, info


def _first(bags: Sequence[BagFacts]) -> Path | str:
    return next((facts.path for facts in bags if facts.embodiment), "the dataset")


def done_already(root: Path) -> tuple[set[str], dict[str, int]]:
    """Ids of bags that are episodes, and of bags that are parts by an earlier run, with their numbers."""
    info = read_info(root)
    committed = {str(notes.get(BAG_ID)) for notes in read_notes(root, info)}
    return committed, {str(part_notes(root, index).get(BAG_ID)): index for index in pending_parts(root)}


def convert_bags(
    root: Path,
    bags: Sequence[BagFacts],
    embodiment: Embodiment,
    conversion: Conversion,
    jobs: int,
    on_progress: Callable[[int], None] = lambda pictures: None,
) -> list[Converted]:
    """Writes bags that are not there yet as parts. on_progress gets the number of pictures encoded so far.

    Raises StorageFull: other bags' parts are kept.
    """
    committed, parts = done_already(root)
    waiting = [facts for facts in bags if facts.id not in committed and facts.id not in parts]
    taken = set(parts.values())
    free = (n for n in range(read_info(root).total_episodes, 10**6) if n not in taken)
    work = [(facts.path, next(free)) for facts in waiting]
    if jobs == 1 or len(work) < 2:
        return _in_this_process(root, work, embodiment, conversion, on_progress)
    return _in_processes(root, work, embodiment, conversion, jobs, on_progress)


def commit(root: Path) -> Info:
    """All parts become episodes."""
    close_up_parts(root)
    return commit_parts(root)


def _in_this_process(
    root: Path,
    work: Sequence[tuple[Path, int]],
    embodiment: Embodiment,
    conversion: Conversion,
    on_progress: Callable[[int], None],
) -> list[Converted]:
    done, pictures = [], _Count(on_progress)
    for path, index in work:
        done.append(convert_bag(path, root, index, embodiment, conversion, pictures.add))
    return done


class _Count:
    def __init__(self, on_progress: Callable[[int], None]) -> None:
        self._pictures, self._on_progress = 0, on_progress

    def add(self) -> None:
        self._pictures += 1
        self._on_progress(self._pictures)


_shared: Synchronized[int] | None = None


def _begin_worker(shared: Synchronized[int]) -> None:
    global _shared
    _shared = shared


def _count_shared() -> None:
    if _shared is not None:
        with _shared.get_lock():
            _shared.value += 1


def _work(path: Path, root: Path, index: int, embodiment: Embodiment, conversion: Conversion) -> Converted:
    return convert_bag(path, root, index, embodiment, conversion, _count_shared)


def _in_processes(
    root: Path,
    work: Sequence[tuple[Path, int]],
    embodiment: Embodiment,
    conversion: Conversion,
    jobs: int,
    on_progress: Callable[[int], None],
) -> list[Converted]:
    context = multiprocessing.get_context("spawn")
    shared = context.Value("q", 0)
    with ProcessPoolExecutor(min(jobs, len(work)), context, _begin_worker, (shared,)) as pool:
        futures = [pool.submit(_work, path, root, index, embodiment, conversion) for path, index in work]
        try:
            for _ in _until_done(futures):
                on_progress(shared.value)
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _until_done(futures: Sequence[Future[Converted]]) -> Iterator[None]:
    """Yields now and then. Raises what the first failed one raised."""
    open_futures = set(futures)
    while open_futures:
        done, open_futures = wait(open_futures, PROGRESS_PERIOD_S, FIRST_COMPLETED)
        for future in done:
            future.result()
        yield
