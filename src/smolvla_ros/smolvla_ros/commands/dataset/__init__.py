"""`smolvla dataset`: what a LeRobot dataset is, whether it is sound, and new ones made of it; a module a subcommand."""

from __future__ import annotations

import argparse
import importlib

SUBCOMMANDS = (
    "convert",
    "info",
    "check",
    "view",
    "merge",
    "split",
    "trim",
    "delete",
    "repair",
    "repair_bag",
    "convert_version",
    "annotate",
    "rename_cameras",
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("dataset", help="look at, check and change LeRobot datasets", description=__doc__)
    subcommands = parser.add_subparsers(required=True, metavar="subcommand")
    for name in SUBCOMMANDS:
        importlib.import_module(f"{__name__}.{name}").add_parser(subcommands)
