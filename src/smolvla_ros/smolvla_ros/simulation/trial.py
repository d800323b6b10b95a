"""The scripted policy on many scenes, in one process, without rendering and as fast as physics goes.

    python -m smolvla_ros.simulation.trial --scenes 100 --seed 1000

Between policy and servos stands what the graph does to a chunk: it arrives late, by a delay that varies; rows whose
time is past are dropped; goals and measured positions are whole ticks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.execution.timeline import ChunkRejected, Timeline
from smolvla_ros.policies.interface import Observation, Policy, PolicyRefusal
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.tasks import TASK_NAMES, instructions
from smolvla_ros.simulation.world import World
from smolvla_ros.units import ServoTicks

TIME_LIMIT_S = 30.0
HOME_WITHIN_RAD = 0.05


@dataclass(frozen=True)
class Outcome:
    """What became of one scene. `duration_s` is until the arm rests at home with the task done, or the time limit."""

    seed: int
    instruction: str
    success: bool
    duration_s: float


@dataclass(frozen=True)
class Pacing:
    """When chunks are asked for, at this share of a chunk left, and how long they take, from and to, in s.

    sync: as LeRobot does it, one is asked for when nothing is left, and the arm holds until it comes.
    """

    threshold: float = 0.7
    answer_after_s: tuple[float, float] = (0.05, 0.4)
    sync: bool = False


@dataclass(frozen=True)
class _Answer:
    at_s: float
    observation_s: float
    positions: np.ndarray


class Loop:
    """The graph in small. State: the rows to come, the goal now, the answer under way, the clock `now_s`.

    look: the images that the policy gets. chunks: how many it gave. starved_s: how long nothing was queued after the
    first of them.
    """

    def __init__(
        self,
        world: World,
        policy: Policy,
        embodiment: Embodiment,
        rng: np.random.Generator,
        pacing: Pacing = Pacing(),
        look: Callable[[], Mapping[str, np.ndarray]] = dict,
    ) -> None:
        self.world, self.policy, self.now_s = world, policy, 0.0
        self.chunks, self.starved_s = 0, 0.0
        self._pacing, self._look = pacing, look
        self._rng, self._ticks = rng, ServoTicks(embodiment)
        self._row_s = 1 / embodiment.rates.policy_hz
        self._physics_steps = max(1, round(1 / embodiment.rates.control_hz / world.timestep_s))
        self._step_s = self._physics_steps * world.timestep_s
        self._most_a_step = embodiment.max_velocity_rad_s * self._step_s
        self._torque = np.ones(len(embodiment.joints), dtype=bool)
        self._timeline = Timeline(len(embodiment.joints))
        self._horizon = 1
        self._goal = self._measured()
        self._answer: _Answer | None = None

    def advance(self, instruction: str, held: bool = False) -> None:
        """One control step; with `held` the arm stays where it is and nothing is asked for, as when paused."""
        if held:
            self._timeline.flush()
            self._answer = None
        else:
            self._ask_or_take(instruction)
            self._follow()
        self.world.set_setpoints(self._ticks.to_radians(np.rint(self._ticks.from_radians(self._goal))), self._torque)
        self.world.step(self._physics_steps)
        self.now_s += self._step_s

    def _ask_or_take(self, instruction: str) -> None:
        pacing, longest_s = self._pacing, self._pacing.answer_after_s[1]
        threshold = 0.0 if pacing.sync else pacing.threshold
        if self._answer is None and len(self._timeline) <= threshold * self._horizon:
            answer_after_s = float(self._rng.uniform(*pacing.answer_after_s))
            times_s, rows = self._timeline.rows()
            meanwhile = times_s < self.now_s + longest_s
            chunk = self.policy.infer(
                Observation(
                    stamp_s=self.now_s,
                    images=self._look(),
                    positions=self._measured(),
                    instruction=instruction,
                    committed=rows[meanwhile] if meanwhile.any() else None,
                    committed_start_s=float(times_s[0]) if meanwhile.any() else 0.0,
                    delay_rows=round(longest_s / self._row_s),
                    objects=self.world.objects(),
                )
            )
            self._horizon = len(chunk.positions)
            self.chunks += 1
            arrives_s = self.now_s + answer_after_s
            self._answer = _Answer(arrives_s, arrives_s if pacing.sync else self.now_s, chunk.positions)
        if self._answer is not None and self.now_s >= self._answer.at_s:
            try:
                self._timeline.land(self._answer.observation_s, self._row_s, self._answer.positions, self.now_s)
            except ChunkRejected as error:
                print(error, file=sys.stderr)
            self._answer = None

    def _follow(self) -> None:
        """The goal goes straight to the next row, no faster than the joints may."""
        self._timeline.advance(self.now_s)
        times_s, rows = self._timeline.rows()
        if not len(rows) and self.chunks > 1:
            self.starved_s += self._step_s
        if len(rows):
            way = (rows[0] - self._goal) * min(1.0, self._step_s / (times_s[0] - self.now_s))
            self._goal = self._goal + np.clip(way, -self._most_a_step, self._most_a_step)

    def _measured(self) -> np.ndarray:
        return self._ticks.to_radians(np.rint(self._ticks.from_radians(self.world.positions)))


def run_scene(world: World, policy: Policy, seed: int, instruction: str) -> Outcome:
    """One task from the scene of a seed, until the judge calls it done and the arm is home again."""
    world.reset(seed)
    policy.reset()
    home = world.embodiment.home_rad
    loop = Loop(world, policy, world.embodiment, np.random.default_rng(seed))
    while loop.now_s < TIME_LIMIT_S:
        try:
            loop.advance(instruction)
        except PolicyRefusal as refusal:
            print(f"seed {seed}: {refusal}", file=sys.stderr)
            break
        if np.abs(world.positions - home).max() < HOME_WITHIN_RAD and judge(world, instruction).done:
            return Outcome(seed, instruction, True, loop.now_s)
    return Outcome(seed, instruction, False, loop.now_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100, help="how many scenes")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first scene; the others follow")
    parser.add_argument("--embodiment", default="", metavar="FILE", help="embodiment file; without: config/so100.yaml")
    parser.add_argument("--task", choices=TASK_NAMES, default=TASK_NAMES[0])
    arguments = parser.parse_args()
    if arguments.scenes < 1:
        parser.error(f"--scenes: expected at least 1, found {arguments.scenes}")
    embodiment = load_embodiment(arguments.embodiment)
    world, policy = World(embodiment), ScriptedPolicy(embodiment)
    asked = instructions(world.objects(), arguments.task)
    started_s = time.perf_counter()
    outcomes = []
    for scene in range(arguments.scenes):
        outcome = run_scene(world, policy, arguments.seed + scene, asked[scene % len(asked)])
        outcomes.append(outcome)
        if not outcome.success:
            print(f"seed {outcome.seed}: failed: {judge(world, outcome.instruction).message}", flush=True)
    durations_s = [outcome.duration_s for outcome in outcomes if outcome.success] or [float("nan")]
    done = sum(outcome.success for outcome in outcomes)
    print(
        f"{len(asked)} instructions in turn: {done} of {len(outcomes)} scenes done,"
        f" {np.mean(durations_s):.2f} s a task (median {np.median(durations_s):.2f}, longest {max(durations_s):.2f});"
        f" {time.perf_counter() - started_s:.0f} s in all"
    )
    return 0 if all(outcome.success for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
