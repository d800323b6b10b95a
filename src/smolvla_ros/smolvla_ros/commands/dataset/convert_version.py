"""`smolvla dataset convert-version`: v2.1 to v3.0 and back. Rows, pictures and texts stay the same."""

from __future__ import annotations

import argparse

from smolvla_ros.commands.dataset.place import add_place, said_of

VERSIONS = ("v2.1", "v3.0")


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("convert-version", help="v2.1 to v3.0 and back", description=__doc__)
    add_place(parser)
    parser.add_argument("--to", choices=VERSIONS, default="v3.0", help="v3.0 by default")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.copying import fill_with_episodes, require_joinable
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.errors import mismatch
    from smolvla_ros.data.new_dataset import new_or_in_place

    dataset = open_dataset(arguments.root)
    if dataset.info.version == arguments.to:
        raise mismatch(arguments.root, f"another version than {arguments.to}", arguments.to, "name the other with --to")
    every = range(len(dataset.episodes))
    require_joinable([(dataset, every)])
    with new_or_in_place(arguments.root, arguments.output) as folder:
        info = fill_with_episodes(folder, [(dataset, every)], arguments.to)
    print(said_of(arguments, f"{arguments.to}, {info.total_episodes} episodes, {info.total_frames} frames"))
    return 0
