"""`smolvla dataset delete`: the dataset without some episodes. Those behind them get new numbers."""

from __future__ import annotations

import argparse

from smolvla_ros.commands.dataset.place import add_place, said_of


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("delete", help="leave episodes out", description=__doc__)
    add_place(parser)
    parser.add_argument("--episodes", required=True, help="which: 0-4,7")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.copying import fill_with_episodes, require_joinable
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.episode_choice import episodes_named
    from smolvla_ros.data.new_dataset import new_or_in_place

    dataset = open_dataset(arguments.root)
    deleted = episodes_named(arguments.episodes, len(dataset.episodes))
    kept = [index for index in range(len(dataset.episodes)) if index not in deleted]
    require_joinable([(dataset, kept)])
    with new_or_in_place(arguments.root, arguments.output) as folder:
        info = fill_with_episodes(folder, [(dataset, kept)], dataset.info.version)
    print(said_of(arguments, f"{len(deleted)} episodes deleted, {info.total_episodes} kept"))
    return 0
