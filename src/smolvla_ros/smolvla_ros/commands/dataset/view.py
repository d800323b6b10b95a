"""`smolvla dataset view`: a web page with the videos, the curves of state and action, tasks and notes of episodes.

The page holds all that it shows and can be sent to others; with --link it shows the dataset's own videos.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("view", help="a web page of episodes", description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("--episodes", help="which: 0-4,7; all by default")
    parser.add_argument("--output", type=Path, default=Path("dataset.html"), help="the page; dataset.html by default")
    parser.add_argument("--link", action="store_true", help="link the dataset's videos instead of copying them")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.episode_choice import episodes_named
    from smolvla_ros.data.view_page import write_page

    dataset = open_dataset(arguments.root)
    places = list(range(len(dataset.episodes)))
    if arguments.episodes:
        places = episodes_named(arguments.episodes, len(dataset.episodes))
    write_page(dataset, places, arguments.output, arguments.link)
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {len(places)} episodes, {size / 1e6:.1f} MB; open it in a browser")
    return 0
