"""The three things that are timed: a task, as many tasks as go into a minute, and how soon a moved cube is noticed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.asynchronous_bench.closed_loop import ClosedLoop, Recorded, Way
from smolvla_ros.policies.interface import Policy, PolicyRefusal
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.scene import CUBE_APART_M, CUBE_EDGE_M, place_cubes
from smolvla_ros.simulation.tasks import instructions, parse
from smolvla_ros.simulation.world import World

TIME_LIMIT_S = 60.0
WINDOW_S = 60.0
HOME_WITHIN_RAD = 0.05
BEGUN_RAD = 0.05
MOVED_AFTER_S = (0.1, 0.6)
MOVED_BY_M = 0.03
NOTICED_RAD = 0.02


@dataclass(frozen=True)
class TaskRun:
    """duration_s: until the arm rests at home with the task done, or the time limit. begun_s: when it set off."""

    seed: int
    done: bool
    duration_s: float
    starved_s: float
    slowdown: float
    begun_s: float
    recorded: Recorded


def instruction_of(world: World, seed: int) -> str:
    asked = instructions(world.objects())
    return asked[seed % len(asked)]


def run_task(world: World, policy: Policy, way: Way, latency_s: float, seed: int) -> TaskRun:
    """One task from the scene of a seed."""
    loop = _begin(world, policy, way, latency_s, seed)
    instruction, home = instruction_of(world, seed), world.embodiment.home_rad
    done = False
    while not done and loop.now_s < TIME_LIMIT_S and _advance(loop):
        done = np.abs(world.positions - home).max() < HOME_WITHIN_RAD and judge(world, instruction).done
    return TaskRun(
        seed,
        done,
        loop.now_s,
        loop.executor.counts.starved_s,
        loop.executor.timing.pace.slowdown,
        _begun_s(loop.recorded, home),
        loop.recorded,
    )


def cubes_in_window(world: World, policy: Policy, way: Way, latency_s: float, seed: int, window_s: float) -> int:
    """How many cubes get into the box: as soon as one lies there, it is put back on the table elsewhere."""
    loop = _begin(world, policy, way, latency_s, seed)
    instruction, random = instruction_of(world, seed), np.random.default_rng(seed)
    cubes = 0
    while loop.now_s < window_s and _advance(loop):
        if judge(world, instruction).done:
            cubes += 1
            _put_back(world, parse(instruction).placements(world.objects())[0].cube, random)
    return cubes


def reaction_s(world: World, policy: Policy, way: Way, latency_s: float, undisturbed: TaskRun) -> float | None:
    """From a cube's move, while the arm is on its way there, until the arm's goal is another than it was without;
    None where it never is.
    """
    seed = undisturbed.seed
    loop = _begin(world, policy, way, latency_s, seed)
    after_s = float(np.random.default_rng(seed).uniform(*MOVED_AFTER_S))
    cube = parse(instruction_of(world, seed)).placements(world.objects())[0].cube
    moved_s = None
    for goal in undisturbed.recorded.goals:
        if moved_s is None and loop.now_s >= undisturbed.begun_s + after_s:
            _shift(world, cube)
            moved_s = loop.now_s
        now_s = loop.now_s
        if not _advance(loop):
            return None
        if moved_s is not None and np.abs(loop.recorded.goals[-1] - goal).max() > NOTICED_RAD:
            return now_s - moved_s
    return None


def _begin(world: World, policy: Policy, way: Way, latency_s: float, seed: int) -> ClosedLoop:
    world.reset(seed)
    policy.reset()
    return ClosedLoop(world, policy, way, latency_s, instruction_of(world, seed))


def _advance(loop: ClosedLoop) -> bool:
    """False where the policy can do no more: a cube was pushed out of reach."""
    try:
        loop.advance()
    except PolicyRefusal:
        return False
    return True


def _begun_s(recorded: Recorded, home: np.ndarray) -> float:
    away = np.abs(np.array(recorded.goals) - home).max(axis=1) > BEGUN_RAD
    return recorded.times_s[int(np.argmax(away))]


def _shift(world: World, cube: str) -> None:
    """Towards the middle of the place where cubes may lie."""
    pose = world.objects()[cube]
    x, y, z = pose.position
    moved = np.array([x, y - np.copysign(MOVED_BY_M, y), z, *pose.quaternion])
    world.place(world.positions, {cube: moved})


def _put_back(world: World, cube: str, random: np.random.Generator) -> None:
    """Somewhere on the table, away from the other cubes."""
    others = [pose.position[:2] for name, pose in world.objects().items() if name.endswith("cube") and name != cube]
    while True:
        x, y, yaw = place_cubes(random, 1)[0]
        if all(np.hypot(*(other - (x, y))) > CUBE_APART_M for other in others):
            break
    world.place(world.positions, {cube: np.array([x, y, CUBE_EDGE_M / 2, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])})
