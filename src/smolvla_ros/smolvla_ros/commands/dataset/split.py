"""`smolvla dataset split`: datasets of some episodes each, by shares (train=0.8 val=0.2) or numbers (train=0-39 val=7).

They are FOLDER/train, FOLDER/val, ...; all are there at the end, or none.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("split", help="several datasets of one", description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("splits", nargs="+", metavar="NAME=WHICH", help="a share, or episodes like 0-4,7")
    parser.add_argument("--output", type=Path, required=True, help="a new folder for the datasets")
    parser.add_argument("--seed", type=int, help="shuffle the episodes before shares are taken; in order by default")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.copying import fill_with_episodes, require_joinable
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.episode_choice import split_episodes
    from smolvla_ros.data.errors import mismatch
    from smolvla_ros.data.new_dataset import require_absent
    from smolvla_ros.data.whole_file import whole_folder

    dataset = open_dataset(arguments.root)
    wanted = dict(item.partition("=")[::2] for item in arguments.splits)
    if len(wanted) < len(arguments.splits) or not all(n.isidentifier() and w for n, w in wanted.items()):
        remedy = "name each split once: train=0.8 val=0.2"
        raise mismatch("splits", "NAME=WHICH, each name a word", " ".join(arguments.splits), remedy)
    splits = split_episodes(wanted, len(dataset.episodes), arguments.seed)
    require_joinable([(dataset, ())])
    require_absent(arguments.output)
    said = []
    with whole_folder(arguments.output) as folder:
        for name, episodes in splits.items():
            (folder / name).mkdir()
            info = fill_with_episodes(folder / name, [(dataset, episodes)], dataset.info.version)
            said.append(f"{arguments.output / name}: {info.total_episodes} episodes, {info.total_frames} frames")
    print("\n".join(said))
    left = len(dataset.episodes) - sum(len(episodes) for episodes in splits.values())
    if left:
        print(f"{left} episodes in no split")
    return 0
