"""`smolvla dataset convert`: bags to a LeRobotDataset, an episode each.

Give the same command again after an interruption, or with further bags later: those in the dataset are left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolvla_ros.conversion.bags_to_dataset import BagFacts
    from smolvla_ros.conversion.episode import Conversion, Converted
    from smolvla_ros.data.info import Info
    from smolvla_ros.embodiment import Embodiment

VERSIONS = ("v3.0", "v2.1")


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("convert", help="bags to a dataset", description=__doc__)
    parser.add_argument("bags", type=Path, nargs="+", help="folders of recordings, or a folder that holds such folders")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the dataset, new or to be added to")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="of LeRobot's layout")
    parser.add_argument(
        "--codec", choices=("h264", "av1"), default="h264", help="of the videos; av1 is slower to write"
    )
    parser.add_argument("--fps", type=int, help="frames a second; by default the embodiment file's policy_hz")
    parser.add_argument(
        "--max-age",
        type=float,
        default=0.15,
        metavar="S",
        help="a frame with an older sample is a gap: the bag is refused",
    )
    parser.add_argument("--task", default="", help="what was done, in words, in place of the bags' own instructions")
    parser.add_argument("--embodiment", type=Path, help="embodiment file, in place of the one saved with the bags")
    parser.add_argument("--keep-failed", action="store_true", help="also episodes that the operator labelled as failed")
    parser.add_argument("--skip-refused", action="store_true", help="go on without bags that cannot be taken")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """0: all of it; 1: without the bags that were refused; 2: nothing was added."""
    from smolvla_ros.conversion.bags_to_dataset import open_or_create
    from smolvla_ros.conversion.episode import Conversion

    started = time.perf_counter()
    bags, refused = _look_at_all(arguments.bags)
    failed = [facts for facts in bags if facts.succeeded is False and not arguments.keep_failed]
    bags = [facts for facts in bags if facts not in failed]
    for facts in failed:
        print(f"{facts.path}: left out, the operator labelled it as failed (--keep-failed takes it)")
    if not bags or (refused and not arguments.skip_refused):
        return _end_refused(refused)
    root = _working_folder(arguments)
    embodiment, info = open_or_create(root, bags, arguments.embodiment, arguments.fps, arguments.codec)
    conversion = Conversion(info.fps, arguments.max_age, arguments.task)
    converted = _with_progress(root, bags, embodiment, conversion, arguments.jobs)
    for done in converted:
        for late in done.late:
            print(f"{done.bag}: {late.stream}: {late.steps} of {done.frames} frames late, up to {late.age_s:.3f} s old")
    refused += [done.refused for done in converted if done.refused]
    if refused and not arguments.skip_refused:
        return _end_refused(refused)
    grown = _commit(root, arguments)
    taken_s = time.perf_counter() - started
    recorded_s = sum(done.frames for done in converted) / grown.fps
    print(
        f"{arguments.output}: {grown.total_episodes} episodes, {grown.total_frames} frames; {recorded_s:.1f} s of bags "
        f"in {taken_s:.1f} s: {recorded_s / taken_s:.1f} times real time"
    )
    for text in refused:
        print(f"refused: {text}", file=sys.stderr)
    return 1 if refused else 0


def _look_at_all(paths: Sequence[Path]) -> tuple[list[BagFacts], list[str]]:
    from smolvla_ros.bags.errors import BagError
    from smolvla_ros.conversion.bags_to_dataset import look_at

    bags, refused = [], []
    for path in _bags_of(paths):
        try:
            bags.append(look_at(path))
        except BagError as error:
            refused.append(str(error))
    return bags, refused


def _bags_of(paths: Sequence[Path]) -> list[Path]:
    """A folder without a bag's files stands for the bags in it, in the order of their names."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(folder for folder in path.iterdir() if folder.is_dir()) if path.is_dir() else []
        is_bag = path.is_file() or not inside or any(path.glob("*.mcap")) or any(path.glob("*.db3*"))
        found += [path] if is_bag else inside
    return list(dict.fromkeys(found))


def _working_folder(arguments: argparse.Namespace) -> Path:
    """v2.1 is made from a v3.0 beside it, which an interruption leaves to be gone on with."""
    from smolvla_ros.data.errors import mismatch

    output: Path = arguments.output
    if arguments.version == VERSIONS[0]:
        return output
    if output.exists():
        raise mismatch(output, "a folder that is not there, for v2.1", "one that is", "name another")
    return output.with_name(f".{output.name}.{VERSIONS[0]}")


def _with_progress(
    root: Path, bags: Sequence[BagFacts], embodiment: Embodiment, conversion: Conversion, jobs: int
) -> list[Converted]:
    from tqdm import tqdm

    from smolvla_ros.conversion.bags_to_dataset import convert_bags

    pictures = sum(int(facts.duration_s * conversion.fps) for facts in bags) * max(1, len(embodiment.cameras))
    with tqdm(total=pictures, unit="picture", desc="converting", disable=None) as bar:
        return convert_bags(root, bags, embodiment, conversion, jobs, lambda done: bar.update(done - bar.n))


def _commit(root: Path, arguments: argparse.Namespace) -> Info:
    from smolvla_ros.conversion.bags_to_dataset import commit
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.version_21_writer import write_version_21

    info = commit(root)
    if root != arguments.output:
        write_version_21(open_dataset(root), arguments.output)
        shutil.rmtree(root)
    return info


def _end_refused(refused: Sequence[str]) -> int:
    for text in refused:
        print(f"refused: {text}", file=sys.stderr)
    print(
        "smolvla: nothing was added to the dataset"
        + (f": {len(refused)} bags were refused; --skip-refused goes on without them" if refused else ""),
        file=sys.stderr,
    )
    return 2
