"""`smolvla demos`: randomised demonstrations of pick-and-place by the scripted policy, for training.

What is there already is kept, so an interrupted run goes on by the same command. With --policy a learned policy moves
the arm, and the demonstrations say what the scripted one would do from where that comes to.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolvla_ros.embodiment import Embodiment
    from smolvla_ros.simulation.demonstration_frames import FrameArtist
    from smolvla_ros.simulation.demonstrations import Demonstrator, Moment

DEFAULTS = {"episodes": 3000, "seed": 1_000_000, "side": 96, "every": 6}
EPISODES_A_SHARD = 50
STRIDE = 10  # seeds of a dataset's episodes are so far apart: those between are for failures


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demos", help="make demonstrations in the simulator", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; what it holds already is kept and not made again")
    parser.add_argument("--recipe", type=Path, help="YAML whose section `demonstrations` gives what follows")
    parser.add_argument("--policy", default="", help="a checkpoint that moves the arm; of the recipe, `corrections`")
    parser.add_argument("--episodes", type=int, help="how many demonstrations (3000)")
    parser.add_argument("--seed", type=int, help="of the first episode; the others follow (1000000)")
    parser.add_argument("--side", type=int, help="of the square that the policy's images are scaled to (96)")
    parser.add_argument("--every", type=int, help="keep every n-th frame of 30 a second (6)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="at once (one a core)")
    parser.add_argument("--dataset", action="store_true", help="a LeRobot dataset of every frame, instead of arrays")
    parser.add_argument("--embodiment", default="", help="the robot: an embodiment file, config/so100.yaml by default")
    parser.set_defaults(command=demos)


def demos(options: argparse.Namespace) -> int:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.runtime.graph import ArgumentError

    _complete(options)
    for name in ("episodes", "side", "every", "processes"):
        if getattr(options, name) < 1:
            raise ArgumentError(f"--{name}: expected at least 1, found {getattr(options, name)}")
    if options.dataset and options.policy:
        raise ArgumentError("--dataset: expected the scripted policy to move the arm, found --policy; leave one out")
    embodiment = load_embodiment(options.embodiment)
    return _dataset(options, embodiment) if options.dataset else _arrays(options, embodiment)


def _complete(options: argparse.Namespace) -> None:
    """What was not given is taken from the recipe, or is the usual."""
    usual = dict(DEFAULTS)
    if options.recipe:
        from smolvla_ros.training.small_checkpoint import read_small_recipe

        usual |= read_small_recipe(options.recipe)["corrections" if options.policy else "demonstrations"]
    for name, value in usual.items():
        if hasattr(options, name) and getattr(options, name) is None:
            setattr(options, name, value)


def _arrays(options: argparse.Namespace, embodiment: Embodiment) -> int:
    """Shard by shard, in several processes: each draws with a renderer of its own."""
    from smolvla_ros.data.demonstration_arrays import shards, write_description
    from smolvla_ros.simulation.demonstration_frames import description_of

    write_description(options.folder, description_of(embodiment))
    there, told = set(shards(options.folder)), _Told()
    jobs = [
        _Shard(
            folder=options.folder,
            number=number,
            seed=options.seed + first,
            count=min(EPISODES_A_SHARD, options.episodes - first),
            side=options.side,
            every=options.every,
            embodiment=options.embodiment,
            policy=options.policy,
        )
        for number, first in enumerate(range(0, options.episodes, EPISODES_A_SHARD))
        if number not in there
    ]
    count = min(options.processes, len(jobs))
    context, first = multiprocessing.get_context("spawn"), _one_thread if options.policy else None
    with context.Pool(count, first) if count > 1 else nullcontext() as pool:
        for lengths in pool.imap_unordered(_make_shard, jobs) if pool else map(_make_shard, jobs):
            for frames in lengths:
                told.add(frames)
            told.say()
    if count == 1:  # the renderer of this process; the others ended with theirs
        _makers(options.side, options.every, options.embodiment, options.policy)[1].close()
        _makers.cache_clear()
    return 0


def _one_thread() -> None:
    """Of torch, in a process of several: each would use all cores, and all would wait for one another."""
    import torch

    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Shard:
    """`count` episodes, the first of which has `seed`."""

    folder: Path
    number: int
    seed: int
    count: int
    side: int
    every: int
    embodiment: str
    policy: str


def _make_shard(shard: _Shard) -> list[int]:
    """The frames of each episode; 0 where the task was not done."""
    import numpy as np

    from smolvla_ros.data.demonstration_arrays import FIELDS, write_shard

    demonstrator, artist = _makers(shard.side, shard.every, shard.embodiment, shard.policy)
    lengths, episodes = [], []
    for seed in range(shard.seed, shard.seed + shard.count):
        moments = demonstrator.demonstrate(seed)
        lengths.append(len(moments))
        if moments:
            episodes.append(artist.arrays(moments, seed))
    if episodes:
        write_shard(shard.folder, shard.number, {n: np.concatenate([e[n] for e in episodes]) for n in FIELDS})
    return lengths


@lru_cache(maxsize=1)
def _makers(side: int, every: int, embodiment_file: str, policy: str) -> tuple[Demonstrator, FrameArtist]:
    """One world and one renderer a process."""
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.simulation.demonstration_frames import FrameArtist
    from smolvla_ros.simulation.demonstrations import Demonstrator

    embodiment = load_embodiment(embodiment_file)
    demonstrator = Demonstrator(embodiment, every)
    artist = FrameArtist(demonstrator, embodiment, side)
    if policy:
        from smolvla_ros.policies.registry import make_policy
        from smolvla_ros.simulation.learned_mover import LearnedMover

        demonstrator.mover = LearnedMover(make_policy(policy, embodiment), embodiment, artist.look)
    return demonstrator, artist


def _dataset(options: argparse.Namespace, embodiment: Embodiment) -> int:
    from smolvla_ros.data.info import INFO_FILE, read_info
    from smolvla_ros.data.writer import commit_parts, create_dataset, pending_parts, write_part
    from smolvla_ros.simulation.demonstration_episodes import demonstration_features, episode_of
    from smolvla_ros.simulation.demonstration_frames import FrameArtist
    from smolvla_ros.simulation.demonstrations import Demonstrator

    root: Path = options.folder
    if not (root / INFO_FILE).exists():
        features = demonstration_features(embodiment, options.side)
        create_dataset(root, features, round(embodiment.rates.policy_hz), embodiment.robot_type, embodiment=embodiment)
    demonstrator = Demonstrator(embodiment)
    artist = FrameArtist(demonstrator, embodiment, options.side)
    told = _Told()
    for index in range(read_info(root).total_episodes, options.episodes):
        if index in pending_parts(root):
            continue
        seed = options.seed + STRIDE * index
        moments: list[Moment] = []
        while not moments:  # a failure is followed by the next seed
            moments = demonstrator.demonstrate(seed)
            told.add(len(moments))
            seed += 1
        write_part(root, index, episode_of(moments, artist, embodiment, seed - 1))
        if (index + 1) % EPISODES_A_SHARD == 0:
            told.say()
    commit_parts(root)
    told.say()
    artist.close()
    return 0


class _Told:
    """Counts what was made, for one line of progress now and then."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._tried = self._done = self._frames = 0

    def add(self, frames: int) -> None:
        self._tried, self._done, self._frames = self._tried + 1, self._done + (frames > 0), self._frames + frames

    def say(self) -> None:
        rate = 60 * self._tried / (time.monotonic() - self._started_s)
        print(f"{self._done} of {self._tried} done, {self._frames} frames, {rate:.0f} a minute", flush=True)
