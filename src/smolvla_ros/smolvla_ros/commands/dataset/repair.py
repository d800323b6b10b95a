"""`smolvla dataset repair`: interrupted writes ended, wrong statistics and lost lists made anew, lost episodes out.

Each is told. Ends with 0 where the dataset is sound, 2 where nothing of it can be kept.
"""

from __future__ import annotations

import argparse

from smolvla_ros.commands.dataset.place import add_place, said_of


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("repair", help="end interrupted writes, make lists anew", description=__doc__)
    add_place(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.new_dataset import require_absent
    from smolvla_ros.data.repairing import finish, rebuild, what_is_wrong

    if arguments.output:
        require_absent(arguments.output)
    else:
        finish(arguments.root, print)
    wrong = what_is_wrong(arguments.root)
    if not wrong:
        print(f"{arguments.root}: sound")
        return 0
    for finding in wrong:
        print(f"found: {str(finding).partition('; `smolvla')[0]}")
    info = rebuild(arguments.root, arguments.output, print)
    print(said_of(arguments, f"{info.total_episodes} episodes, {info.total_frames} frames, statistics made anew"))
    return 0
