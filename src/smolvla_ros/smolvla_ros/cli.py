"""The `smolvla` command. Errors that an operator can mend end it with one line and code 2."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from smolvla_ros.runtime.interrupt import interrupting

COMMANDS = (
    "run",
    "evaluate",
    "demos",
    "checkpoint",
    "inspect",
    "convert",
    "compare",
    "bench",
    "report",
    "dataset",
    "train",
    "view",
)


def operator_errors() -> tuple[type[Exception], ...]:
    """Error types whose message is meant for the operator."""
    from smolvla_ros.bags.errors import BagError
    from smolvla_ros.cameras.device import CameraError
    from smolvla_ros.conversion.episode import StorageFull
    from smolvla_ros.data.errors import DatasetError
    from smolvla_ros.policies.registry import CONFIGURATION_ERRORS
    from smolvla_ros.runtime.description import DescriptionError
    from smolvla_ros.runtime.errors import OperatorError, ReportMissing, RosMissing, SessionError
    from smolvla_ros.runtime.graph import ArgumentError
    from smolvla_ros.runtime.processes import NodeStartError
    from smolvla_ros.simulation.libero import LiberoError
    from smolvla_ros.training.errors import TrainingError

    return (
        ArgumentError,
        BagError,
        CameraError,
        DatasetError,
        DescriptionError,
        LiberoError,
        NodeStartError,
        OperatorError,
        ReportMissing,
        RosMissing,
        SessionError,
        StorageFull,
        TrainingError,
        *CONFIGURATION_ERRORS,
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smolvla", description="SmolVLA for ROS 2")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name in COMMANDS:
        importlib.import_module(f"smolvla_ros.commands.{name}").add_parser(commands)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """The exit code; 128 and the signal's number where SIGINT or SIGTERM ended it."""
    try:
        with interrupting():
            options = make_parser().parse_args(words)
            return options.command(options)
    except KeyboardInterrupt as interrupt:
        print("smolvla: interrupted", file=sys.stderr)
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
    except operator_errors() as error:
        print(f"smolvla: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
