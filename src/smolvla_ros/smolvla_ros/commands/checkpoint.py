"""`smolvla checkpoint init`: writes a small, randomly initialised, self-contained checkpoint in the public layout."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

SIZES = ("tiny", "small", "full")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("checkpoint", help="make a SmolVLA checkpoint", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="action")
    init = actions.add_parser("init", help="a small one with random weights and a tokenizer of its own")
    init.add_argument("folder", type=Path, help="where to write; made if it is not there")
    init.add_argument("--size", choices=SIZES, default="tiny", help="0.5, 11 or 450 million parameters")
    init.add_argument("--seed", type=int, default=0, help="of the weights")
    init.add_argument("--embodiment", default="", help="the robot: an embodiment file, config/so100.yaml by default")
    init.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    init.set_defaults(command=init_checkpoint)


def init_checkpoint(options: argparse.Namespace) -> int:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, save_checkpoint
    from smolvla_ros.model.random_checkpoint import random_checkpoint
    from smolvla_ros.runtime.graph import ArgumentError

    folder: Path = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not options.force:
        raise ArgumentError(f"{folder}: expected a new or an empty folder, found files; name another, or give --force")
    embodiment = load_embodiment(options.embodiment)
    started = time.perf_counter()
    checkpoint = random_checkpoint(embodiment, options.size, options.seed)
    save_checkpoint(checkpoint, folder)
    (folder / EMBODIMENT_FILE).write_text(embodiment.path.read_text(encoding="utf-8"), encoding="utf-8")
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(
        f"{folder}: {options.size}, {parameters:,} parameters at random (seed {options.seed}), "
        f"cameras {', '.join(camera.name for camera in embodiment.cameras)}, {len(embodiment.joints)} joints; "
        f"{time.perf_counter() - started:.1f} s"
    )
    return 0
