"""`smolvla dataset check`: missing frames, frozen cameras, joint jumps, wrong units, statistics that do not fit.

A line for each, with episode, frame and what to do. Ends with 0 where nothing is wrong, 1 where something is, 2 where
there is no dataset that can be read.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("check", help="what is wrong with a dataset", description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("--no-pictures", action="store_true", help="decode no video: frozen cameras are not found")
    parser.add_argument("--json", action="store_true", help="print a JSON object a finding")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.dataset_check import check

    dataset, findings = open_dataset(arguments.root), 0
    for finding in check(dataset, pictures=not arguments.no_pictures):
        findings += 1
        print(json.dumps({**asdict(finding), "remedy": finding.remedy}) if arguments.json else finding, flush=True)
    if not arguments.json:
        print(f"{len(dataset.episodes)} episodes, {len(dataset)} frames: {findings or 'no'} findings")
    return int(findings > 0)
