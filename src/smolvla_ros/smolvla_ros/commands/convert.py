"""`smolvla convert`: any SmolVLA checkpoint, written anew in the present public layout, complete in one folder.

Old layouts, shards, LoRA adapters and names of compiled training runs go in; weights in one file, processor files and
tokenizer come out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

DTYPES = ("float32", "bfloat16", "float16")
MEGABYTE = 1e6


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "convert", help="write a checkpoint anew, complete and in the present layout", description=__doc__
    )
    parser.add_argument("source", help="a folder, or owner/name[@revision] of the hub")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("--dtype", choices=DTYPES, help="of all weights; by default each keeps its own")
    parser.add_argument(
        "--statistics",
        action="append",
        default=[],
        metavar="NAME",
        help="in place of its own: a LeRobot dataset's folder, a stats.json, or a name in the checkpoint such as "
        "so100-blue; may be given twice, for states and for actions",
    )
    parser.add_argument("--force", action="store_true", help="replace a checkpoint that is there")
    parser.set_defaults(command=convert)


def convert(options: argparse.Namespace) -> int:
    from smolvla_ros.model.conversion import convert_checkpoint

    started = time.perf_counter()
    done = convert_checkpoint(options.source, options.target, options.dtype, options.statistics, options.force)
    print(
        f"{options.source}: {'; '.join(done.found)}\n"
        f"{done.target}: {done.parameters:,} parameters, {done.bytes / MEGABYTE:,.1f} MB, "
        f"{time.perf_counter() - started:.1f} s"
    )
    return 0
