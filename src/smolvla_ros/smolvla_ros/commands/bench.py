"""`smolvla bench`: the figures that README and docs quote, as tables and reports/<name>.json."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from smolvla_ros.runtime.report import table, write_report

# name of the report -> module with `rows(peer)`: one dict a row; `peer` is a python with lerobot installed, or None
BENCHES = {
    "async": "smolvla_ros.asynchronous_bench.bench",
    "data": "smolvla_ros.runtime.data_bench",
    "bus": "so100_hardware.bench",
    "faults": "so100_hardware.fault_campaign.campaign",
    "model": "smolvla_ros.engines.bench",
    "train": "smolvla_ros.training.bench",
    "arms": "smolvla_ros.policies.arms_bench",
    "network": "smolvla_ros.network.bench",
    "collision": "smolvla_ros.runtime.collision_bench",
}
# those whose `rows(peer, raw)` also keeps raw data and plots in reports/<name>/
KEEPING_RAW = ("async",)
NO_PEER = (
    "The peer's columns are empty: install lerobot 0.6.1 into an environment of its own and name its python "
    "(make bench PEER=/path/to/python)."
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bench", help="measure, beside lerobot where it is installed", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(BENCHES)}; all if none is named")
    parser.add_argument("--peer", type=Path, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.set_defaults(command=bench)


def bench(options: argparse.Namespace) -> int:
    from smolvla_ros.runtime.graph import ArgumentError

    for name in options.names:
        if name not in BENCHES:
            raise ArgumentError(f"bench: expected one of {', '.join(BENCHES)}, found '{name}'")
    if options.peer and not options.peer.exists():
        raise ArgumentError(f"--peer: expected a python with lerobot installed, found no such file: {options.peer}")
    for name in options.names or BENCHES:
        print(f"\n{name}", flush=True)
        try:
            module = importlib.import_module(BENCHES[name])
            raw = (options.reports / name,) if name in KEEPING_RAW else ()
            rows = module.rows(options.peer, *raw)
        except RuntimeError as error:  # the peer's python, or what runs in it
            raise ArgumentError(f"bench {name}: {error}") from error
        print(table(rows))
        print(f"report  {write_report(options.reports, name, rows, seed=getattr(module, 'SEED', 0))}")
    if not options.peer:
        print(f"\n{NO_PEER}")
    return 0
