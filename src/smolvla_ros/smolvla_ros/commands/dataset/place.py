"""Where a command writes: --output names a new folder; without it the dataset is replaced and kept as `<name>_old`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "a new folder for the result; without it the dataset is replaced in one step, what it was is kept as ROOT_old"


def add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("--output", type=Path, help=HELP)


def said_of(arguments: argparse.Namespace, what: str) -> str:
    """The line that ends a command."""
    if arguments.output:
        return f"{arguments.output}: {what}"
    return f"{arguments.root}: {what}; as it was before: {arguments.root}_old"
