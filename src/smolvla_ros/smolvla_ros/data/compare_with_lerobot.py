"""Whether LeRobot and this project read the same from the same dataset, whoever wrote it.

    python -m smolvla_ros.data.compare_with_lerobot --peer /path/to/python [--seed N]
    python -m smolvla_ros.data.compare_with_lerobot --peer /path/to/python --dataset DATASET

A small dataset (two cameras, three episodes, two tasks) is written here with each codec, by LeRobot, and by one after
the other; as v2.1 too, which LeRobot's own script converts; and changed by what `smolvla dataset` does. Each is read
whole by both: columns, chunks of actions with their masks, pictures, tasks and statistics. Of a dataset that is there
already some hundred frames are read, spread over all of it. Ends with 1 where a value differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from smolvla_ros.data.changed_datasets import CHANGES
from smolvla_ros.data.copying import copy_episodes
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_arrays import input_of_lerobot, made_arrays, read_here, write_here
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.version_21_writer import write_version_21
from smolvla_ros.model.peer_run import PeerError, run_in_peer

PEER_SCRIPT = Path(__file__).with_name("lerobot_dataset_peer.py")
HORIZON = 8
LENGTHS, FURTHER = (40, 2, 25), (12,)
FRAMES = 300
"""Of a dataset that is there already: at most so many. They are held in memory, and pictures may be large."""
STATISTICS_TOLERANCE, PIXEL_TOLERANCE = 1e-6, 1e-3
"""Of the range of a feature. LeRobot adds up in float32, of pictures millions of pixels."""
WORSE = 1.1
"""How many times LeRobot's mean distance from the pictures given this project's may be, where each encodes them."""


@dataclass(frozen=True)
class Difference:
    """The largest of each kind, 0 where all are equal. pictures: in levels of 0 to 255.

    statistics, pixel_statistics: of numbers and of pictures, relative to the feature's range. wrong: what is missing or
    differs altogether.
    """

    columns: float
    pictures: int
    statistics: float
    pixel_statistics: float
    wrong: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        few = self.statistics <= STATISTICS_TOLERANCE and self.pixel_statistics <= PIXEL_TOLERANCE
        return not self.wrong and self.columns == 0 and self.pictures == 0 and few


def difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> Difference:
    """Of what both read."""
    wrong = [f"{name} is only in one" for name in sorted(set(ours) ^ set(theirs))]
    columns = statistics = pixels = 0.0
    pictures = 0
    for name in sorted(set(ours) & set(theirs)):
        here, there = ours[name], theirs[name]
        if here.shape != there.shape:
            wrong.append(f"{name}: {here.shape} here, {there.shape} in LeRobot")
        elif here.dtype.kind in "UOb":
            wrong += [] if np.array_equal(here, there) else [f"{name} differs"]
        elif here.dtype == np.uint8:
            pictures = max(pictures, int(np.abs(here.astype(int) - there.astype(int)).max()))
        elif name.startswith("stats/"):
            _, feature, kind = name.split("/")
            low, high = theirs[f"stats/{feature}/min"], theirs[f"stats/{feature}/max"]
            found = float((np.abs(here - there) / np.maximum(high - low, 1e-6)).max()) if kind != "count" else 0.0
            wrong += [f"{name} differs"] if kind == "count" and not np.array_equal(here, there) else []
            if "images" in feature:
                pixels = max(pixels, found)
            else:
                statistics = max(statistics, found)
        else:
            columns = max(columns, float(np.abs(here.astype(float) - there.astype(float)).max()))
    return Difference(columns, pictures, statistics, pixels, tuple(wrong))


def run_peer(python: Path, *arguments: str | Path) -> None:
    """Runs lerobot_dataset_peer.py. Raises PeerError."""
    with tempfile.TemporaryDirectory() as cache:  # nothing of an earlier dataset of this name
        run_in_peer(python, [str(python), str(PEER_SCRIPT), *map(str, arguments)], HF_HOME=cache)


@dataclass(frozen=True)
class Comparison:
    """Writes datasets below `work` and reads each with both."""

    python: Path
    seed: int
    work: Path

    def written_here(self, codec: str) -> Path:
        root = self.work / f"here_{codec}"
        write_here(root, made_arrays(self.seed, LENGTHS), codec)
        return root

    def written_by_lerobot(self, codec: str) -> Path:
        return self._peer_writes("create", self.work / f"lerobot_{codec}", LENGTHS, codec)

    def written_by_lerobot_in_rows(self) -> Path:
        """Pictures as PNG in the rows."""
        root, arrays = self.work / "rows", self.work / "arrays.npz"
        input_of_lerobot(made_arrays(self.seed, LENGTHS), arrays, in_rows=True)
        run_peer(self.python, "create", root, arrays)
        return root

    def continued_by_lerobot(self) -> Path:
        return self._peer_writes("resume", self.written_here("h264"), FURTHER, "h264")

    def continued_here(self) -> Path:
        root = self.written_by_lerobot("h264")
        write_here(root, made_arrays(self.seed + 1, FURTHER), "h264")
        return root

    def interrupted(self) -> Path:
        """All files of a further commit but the last, as a power cut before it leaves them."""
        root = self.written_here("h264")
        before = (root / "meta" / "info.json").read_text()
        write_here(root, made_arrays(self.seed + 1, FURTHER), "h264")
        (root / "meta" / "info.json").write_text(before)
        return root

    def chosen(self) -> Path:
        source = open_dataset(self.written_by_lerobot("libsvtav1"))
        copy_episodes([(source, [2, 0])], self.work / "chosen")
        return self.work / "chosen"

    def converted_from_21_by_lerobot(self) -> Path:
        root = self.work / "old"
        write_version_21(open_dataset(self.written_here("av1")), root)
        run_peer(self.python, "convert", root)
        return root

    def converted_from_21_here(self) -> Path:
        source, old, root = open_dataset(self.written_here("av1")), self.work / "old", self.work / "new"
        write_version_21(source, old)
        copy_episodes([(open_dataset(old), range(len(source.episodes)))], root)
        return root

    def of(self, root: Path, every: int = 1) -> Difference:
        """What both read of a folder. Raises PeerError, DatasetError."""
        output = self.work / "read.npz"
        run_peer(self.python, "read", root, output, "--horizon", str(HORIZON), "--every", str(every))
        return difference(read_here(root, HORIZON, every), dict(np.load(output, allow_pickle=False)))

    def same_arrays(self) -> Difference:
        """What each writes of the same arrays: rows, tasks, its own statistics. Each encodes the pictures, so only how
        near both are to the pictures given is compared.
        """
        roots = self.written_here("av1"), self.written_by_lerobot("libsvtav1")
        here, there = (read_here(root, HORIZON) for root in roots)
        given, wrong = made_arrays(self.seed, LENGTHS), []
        for camera in [name for name, values in here.items() if values.dtype == np.uint8]:
            wanted = given[camera].transpose(0, 3, 1, 2).astype(int)
            ours, theirs = (float(np.abs(found.pop(camera) - wanted).mean()) for found in (here, there))
            if ours > WORSE * theirs:
                wrong.append(f"{camera}: {ours:.1f} levels from the pictures given, LeRobot's {theirs:.1f}")
        found = difference(here, there)
        return replace(found, wrong=(*found.wrong, *wrong))

    def _peer_writes(self, what: str, root: Path, lengths: tuple[int, ...], codec: str) -> Path:
        arrays = self.work / "arrays.npz"
        input_of_lerobot(made_arrays(self.seed + (what == "resume"), lengths), arrays)
        run_peer(self.python, what, root, arrays, "--codec", codec)
        return root


def _changed(change: Callable[[Path, Path], Path], comparison: Comparison) -> Path:
    """Of a dataset that LeRobot wrote, in rows where the change is about that."""
    in_rows = change is CHANGES["pictures in rows, an episode deleted"]
    root = comparison.written_by_lerobot_in_rows() if in_rows else comparison.written_by_lerobot("libsvtav1")
    return change(root, comparison.work)


CASES: dict[str, Callable[[Comparison], Path]] = {
    "written here, av1": lambda c: c.written_here("av1"),
    "written here, h264": lambda c: c.written_here("h264"),
    "written by LeRobot, av1": lambda c: c.written_by_lerobot("libsvtav1"),
    "written by LeRobot, h264": lambda c: c.written_by_lerobot("h264"),
    "begun here, continued by LeRobot": Comparison.continued_by_lerobot,
    "begun by LeRobot, continued here": Comparison.continued_here,
    "interrupted before info.json": Comparison.interrupted,
    "episodes chosen of LeRobot's": Comparison.chosen,
    "v2.1 written here, converted by LeRobot": Comparison.converted_from_21_by_lerobot,
    "v2.1 written here, converted here": Comparison.converted_from_21_here,
    "pictures in rows, written by LeRobot": Comparison.written_by_lerobot_in_rows,
    **{name: partial(_changed, change) for name, change in CHANGES.items()},
}


def compare(python: Path, seed: int) -> list[str]:
    """Prints a row a case. Returns the names of those that differ. Raises PeerError, DatasetError."""
    cases: list[tuple[str, Callable[[Comparison], Difference]]] = [
        *((name, partial(_read_by_both, make)) for name, make in CASES.items()),
        ("same arrays, written by each", Comparison.same_arrays),
    ]
    return _compared(python, seed, cases)


def compare_dataset(python: Path, root: Path) -> list[str]:
    """As `compare`, of one that is there already. Raises PeerError, DatasetError."""
    frames = len(open_dataset(root))
    every = -(-frames // FRAMES)
    name = f"{root.name}, {-(-frames // every)} of {frames} frames"
    return _compared(python, 0, [(name, lambda comparison: comparison.of(root, every))])


def _read_by_both(make: Callable[[Comparison], Path], comparison: Comparison) -> Difference:
    return comparison.of(make(comparison))


def _compared(python: Path, seed: int, cases: Sequence[tuple[str, Callable[[Comparison], Difference]]]) -> list[str]:
    print("| dataset | columns | pictures | statistics | of pictures | |\n|---|---|---|---|---|---|", flush=True)
    failed = []
    for name, compared in cases:
        with tempfile.TemporaryDirectory() as work:
            found = compared(Comparison(python, seed, Path(work)))
        failed += [] if found.equal else [name]
        verdict = "equal" if found.equal else "DIFFERENT " + "; ".join(found.wrong)
        print(
            f"| {name} | {found.columns:g} | {found.pictures} | {found.statistics:.1e} | {found.pixel_statistics:.1e} "
            f"| {verdict} |",
            flush=True,
        )
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", type=Path, help="one that is there already, instead")
    options = parser.parse_args(argv)
    try:
        failed = (
            compare_dataset(options.peer, options.dataset) if options.dataset else compare(options.peer, options.seed)
        )
    except (PeerError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"DIFFERENT: {', '.join(failed)}" if failed else "equal")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
