"""`smolvla dataset merge`: one dataset of all episodes of several, v3.0.

Texts of tasks are kept, statistics are joined as LeRobot joins them. Datasets of other features, units or rates are
refused with the name of what differs. Videos are copied, not encoded.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("merge", help="one dataset of several", description=__doc__)
    parser.add_argument("roots", type=Path, nargs="+", metavar="root", help="datasets, in the order of their episodes")
    parser.add_argument("--output", type=Path, required=True, help="a new folder for the result")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.carried_files import unlike_files
    from smolvla_ros.data.copying import copy_episodes
    from smolvla_ros.data.dataset import open_dataset

    datasets = [open_dataset(root) for root in arguments.roots]
    info = copy_episodes([(dataset, range(len(dataset.episodes))) for dataset in datasets], arguments.output)
    print(f"{arguments.output}: {info.total_episodes} episodes, {info.total_frames} frames, {info.total_tasks} tasks")
    for name in unlike_files(arguments.roots):
        print(f"{name} left out: it is not the same in all datasets")
    return 0
