"""`smolvla dataset repair-bag`: index and metadata of recordings that were cut off, in place."""

from __future__ import annotations

import argparse
from pathlib import Path

MIB = 2**20


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("repair-bag", help="make recordings whole that were cut off", description=__doc__)
    parser.add_argument("bags", type=Path, nargs="+", help="folders of recordings")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.bags.repair import repair_bag

    for folder in arguments.bags:
        done = repair_bag(folder)
        what = "was whole" if done.was_whole else f"repaired, {done.cut_bytes / MIB:.2f} MiB without an end cut off"
        print(f"{folder}: {what}; {done.messages} messages, {done.duration_s:.1f} s")
    return 0
