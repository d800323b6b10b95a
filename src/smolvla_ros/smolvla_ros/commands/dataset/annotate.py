"""`smolvla dataset annotate`: tasks in words by a vision-language model, read by a person before they count.

    smolvla dataset annotate ROOT                      proposes a sentence for each episode, in ROOT.tasks.yaml
    smolvla dataset annotate ROOT --apply FILE         makes the sentences of that file the episodes' tasks
    smolvla dataset annotate ROOT --undo               gives the episodes the tasks back that they had

Interrupted, it goes on where it was. Episodes are shown to the model by frames over their length and asked about in the
words of SmolVLA's paper. It needs transformers: pip install 'smolvla_ros[annotate]'.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolvla_ros.data.dataset import Dataset

MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"
LONG = 30
"""Characters that the model is asked to stay within."""


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser(
        "annotate",
        help="tasks in words by a vision-language model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("--model", default=MODEL, help=f"a folder or a name on the hub; {MODEL} by default")
    parser.add_argument("--camera", help="whose pictures are shown; the one named top, else the first, by default")
    parser.add_argument("--frames", type=int, default=4, help="shown of each episode; 4 by default")
    parser.add_argument("--device", default="auto", help="cpu, cuda; by default cuda where there is one")
    parser.add_argument("--review", type=Path, help="the file of proposals; ROOT.tasks.yaml by default")
    parser.add_argument("--restart", action="store_true", help="propose anew instead of going on")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", type=Path, metavar="FILE", help="make the tasks of this file the episodes'")
    what.add_argument("--undo", action="store_true", help="give episodes the tasks back that they had")
    parser.add_argument("--output", type=Path, help="with --apply or --undo: a new folder; in place by default")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.copying import require_joinable
    from smolvla_ros.data.dataset import open_dataset

    dataset = open_dataset(arguments.root)
    require_joinable([(dataset, ())])
    if arguments.apply:
        return _apply(dataset, arguments)
    if arguments.undo:
        return _undo(dataset, arguments)
    return _propose(dataset, arguments)


def _propose(dataset: Dataset, arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.annotation.captioner import Captioner
    from smolvla_ros.data.annotation.proposing import propose
    from smolvla_ros.data.annotation.review import Review
    from smolvla_ros.data.errors import mismatch

    cameras = dataset.info.cameras
    camera = arguments.camera or next((c for c in cameras if c.endswith(".top")), cameras[0] if cameras else "none")
    if camera not in cameras:
        raise mismatch("--camera", f"one of {', '.join(cameras)}", camera, "name one of them")
    if arguments.frames < 1:
        raise mismatch("--frames", "1 or more", arguments.frames, "give how many to show")
    path = arguments.review or arguments.root.with_name(arguments.root.name + ".tasks.yaml")
    if arguments.restart:
        path.unlink(missing_ok=True)
    wanted = Review(arguments.model, camera, arguments.frames)
    long = 0
    for entry in propose(dataset, wanted, path, lambda: Captioner(arguments.model, arguments.device)):
        print(f"episode {entry.episode}: {'; '.join(entry.was)} -> {entry.proposed or '(nothing said)'}", flush=True)
        long += len(entry.proposed) > LONG
    if long:
        print(f"{long} of them are longer than the {LONG} characters asked for")
    print(f"{path}: {len(dataset.episodes)} episodes. Read and correct it, then give it to --apply")
    return 0


def _apply(dataset: Dataset, arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.annotation.retasking import retask
    from smolvla_ros.data.annotation.review import read_review, require_of

    review = read_review(arguments.apply)
    require_of(review, arguments.apply, dataset)
    texts = {entry.episode: entry.task for entry in review.entries if entry.task and (entry.task,) != entry.was}
    if not texts:
        print(f"{arguments.root}: no task is another than before")
        return 0
    retask(dataset, texts, arguments.output)
    print(f"{arguments.output or arguments.root}: {len(texts)} of {len(dataset.episodes)} episodes have new tasks")
    return 0


def _undo(dataset: Dataset, arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.annotation.retasking import undo, undoable

    back, changed = undoable(dataset)
    for index in changed:
        print(f"episode {index} left as it is: its task has been changed by something else since")
    if back:
        undo(dataset, back, arguments.output)
    print(f"{arguments.output or arguments.root}: {len(back)} episodes have the tasks back that they had")
    return 0
