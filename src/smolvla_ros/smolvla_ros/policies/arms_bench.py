"""`smolvla bench arms`: chunks a second of one policy that serves 1, 2 and 4 arms, their requests as one batch."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines.choice import choose
from smolvla_ros.engines.errors import AUTO
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.interface import Chunk, Observation
from smolvla_ros.policies.smolvla import SmolVLAPolicy

SEED = 0
SIZE, ARMS, INFERENCES = "small", (1, 2, 4), 15
INSTRUCTIONS = ("put the red cube in the blue box", "go home", "pick up the green cube", "wipe the table")


def rows(_peer: Path | None) -> list[dict[str, Any]]:
    """A row for each number of arms: together, and the same requests one after the other."""
    robot = load_embodiment()
    checkpoint = random_checkpoint(robot, SIZE, SEED)
    engine = choose(AUTO, "cpu", checkpoint.model)
    engine.prepare(checkpoint.model)
    found = []
    for count in ARMS:
        batched = [SmolVLAPolicy(checkpoint, robot) for _ in range(count)]
        alone = [SmolVLAPolicy(checkpoint, robot) for _ in range(count)]
        together_s, one_by_one_s, apart = [], [], 0.0
        for turn in range(INFERENCES):
            seen = _observations(count, turn)
            begun = time.perf_counter()
            answers = SmolVLAPolicy.infer_together(list(zip(batched, seen, strict=True)))
            half = time.perf_counter()
            singles = [policy.infer(each) for policy, each in zip(alone, seen, strict=True)]
            one_by_one_s.append(time.perf_counter() - half)
            together_s.append(half - begun)
            for answer, single in zip(answers, singles, strict=True):
                assert isinstance(answer, Chunk), answer
                apart = max(apart, float(np.abs(answer.positions - single.positions).max()))
        median_s, single_s = statistics.median(together_s), statistics.median(one_by_one_s)
        found.append(
            {
                "engine": engine.name,
                "size": SIZE,
                "arms": count,
                "median_s": round(median_s, 4),
                "min_s": round(min(together_s), 4),
                "chunks_per_s": round(count / median_s, 2),
                "one_by_one_chunks_per_s": round(count / single_s, 2),
                "max_abs_diff_rad": float(f"{apart:.2g}"),
            }
        )
    return found


def _observations(count: int, turn: int) -> list[Observation]:
    """New frames for every arm."""
    robot, random = load_embodiment(), np.random.default_rng(turn)
    seen = []
    for number in range(count):
        images = {c.name: random.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in robot.cameras}
        seen.append(Observation(0.0, images, robot.home_rad, INSTRUCTIONS[number % 4]))
    return [replace(each, stamp_s=float(turn)) for each in seen]
