"""`smolvla dataset info`: what a LeRobot dataset holds.

Ends with 0, or with 2 where there is no dataset that can be read.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolvla_ros.data.description import Description, FeatureFacts

MIB = 1024 * 1024


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("info", help="what a dataset holds", description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.description import describe

    found = describe(open_dataset(arguments.root))
    print(json.dumps(found.to_json(), indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines(found)))
    return 0


def lines(found: Description) -> list[str]:
    """For people."""
    shortest, longest = min(found.episode_s, default=0.0), max(found.episode_s, default=0.0)
    robot = found.robot_type or "robot not named"
    said = [
        f"{found.root}: LeRobotDataset {found.version}, {robot}, {found.bytes / MIB:.1f} MiB",
        f"{len(found.episode_s)} episodes of {shortest:.1f} to {longest:.1f} s, {found.frames} frames at {found.fps} "
        f"a second: {sum(found.episode_s):.1f} s",
        f"embodiment: {found.embodiment or 'no file saved with it'}",
        "tasks:",
    ]
    said += [f"  {task.episodes:>4} episodes  {task.text}" for task in found.tasks]
    said += ["features:", *(f"  {name}: {_feature(facts)}" for name, facts in found.features.items())]
    if found.unfinished:
        said.append(f"unfinished: {found.unfinished}; `smolvla dataset repair` ends what was begun")
    return said


def _feature(facts: FeatureFacts) -> str:
    shape = "x".join(str(size) for size in facts.shape)
    if facts.codec:
        return f"{facts.dtype} {shape}, {facts.codec}"
    units = "" if facts.units is None else f", {', '.join(dict.fromkeys(facts.units))}"
    names = f": {', '.join(facts.names)}" if facts.names else ""
    return f"{facts.dtype} {shape}{units}{names}"
