"""Demonstrations of pick-and-place by the scripted policy, in one process and faster than real time.

What is learned from them must depend on the words: the same scene is shown under every instruction, an arm that is
under way to one cube is told to take the other, and beside what the arm did each frame tells what the policy would
have done from there had the instruction been another. The arm is pushed off its course and the labels are not: they
lead back to it (DART, arXiv 1703.09327).

Where a learned policy moves the arm instead, the labels say what should be done in the states that it comes to (DAgger,
arXiv 1011.0686).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import Observation, PolicyRefusal
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.kinematics import GRIPPER
from smolvla_ros.simulation.scene_variation import SceneVariation
from smolvla_ros.simulation.tasks import PickAndPlace
from smolvla_ros.simulation.world import World
from smolvla_ros.units import ServoTicks

SUBSTEPS = 4  # exchanges with the servos in a frame: 120 Hz
LONGEST_S, REST_S, AT_REST_RAD = 12.0, 0.3, 0.002
DONE_S = 1.5  # a learned policy is hardly ever at rest
# of the episodes: pushed about, told something else first, begun away from home
NOISY, TOLD_OTHERWISE, ELSEWHERE = 0.8, 0.35, 0.2
NOISE_RAD, NOISE_MEMORY_S, NEAR_OBJECTS_M, NEAR_SHARE = 0.05, 0.3, 0.035, 0.35
OTHERWISE_S = (0.15, 1.6)
ELSEWHERE_RAD = np.array([0.7, 0.3, 0.3, 0.3, 0.5, 0.3])
LOWEST_START_M = 0.05
# of the pictures where a learned policy moves the arm, in frames: in the graph they are older than the joint states
IMAGE_AGE = (0, 2)
OLDEST_IMAGE = 3


@dataclass(frozen=True)
class Moment:
    """One frame. time_s: of the episode; qpos: MuJoCo's, to draw its pictures from; positions (joints,) rad, as
    measured, at that time or a little later, as live.

    asked, otherwise: what the instruction names and another task; chunk, other_chunk (rows, joints) rad: what the
    scripted policy does for each from here.
    """

    time_s: float
    qpos: np.ndarray
    positions: np.ndarray
    asked: PickAndPlace
    otherwise: PickAndPlace
    chunk: np.ndarray
    other_chunk: np.ndarray


class Mover(Protocol):
    """Who moves the arm in the scripted policy's place."""

    def begin(self, random: np.random.Generator) -> None:
        """A new episode."""

    def goal(self, frame: int, observation: Observation) -> np.ndarray:
        """Where the joints (joints,) shall be one frame later, rad. Raises PolicyRefusal."""


class Demonstrator:
    """State: the world and its variation. `every` n-th frame becomes a moment, all are executed."""

    def __init__(self, embodiment: Embodiment, every: int = 1) -> None:
        self.world, self._embodiment, self._every = World(embodiment), embodiment, every
        self.mover: Mover | None = None
        self.past: deque[np.ndarray] = deque(maxlen=OLDEST_IMAGE + 1)  # qpos of the last frames, this one last
        self._variation = SceneVariation(self.world)
        self._ticks, self._arm = ServoTicks(embodiment), arm_of(embodiment).kinematics
        self._row_s = 1 / embodiment.rates.policy_hz
        self._physics_steps = round(self._row_s / SUBSTEPS / World.timestep_s)
        names = [item.name for item in self.world.scene_objects]
        self._tasks = [PickAndPlace(cube, box) for cube in names if "cube" in cube for box in names if "box" in box]

    def demonstrate(self, seed: int) -> list[Moment]:
        """The moments of one episode; none where the scripted policy did not do the task, as in a few of a hundred."""
        random = np.random.default_rng(seed)
        self.world.reset(seed)
        self._variation.draw(random)
        task = self._tasks[random.integers(len(self._tasks))]
        if random.random() < ELSEWHERE:
            self._start_elsewhere(random)
        told_at_s, first = 0.0, task
        if random.random() < TOLD_OTHERWISE:
            told_at_s, first = random.uniform(*OTHERWISE_S), self._other_than(task, random, other_cube=True)
        if self.mover:
            self.mover.begin(random)
        moments: list[Moment] = []
        try:
            for moment in self._moments(task, first, told_at_s, random):
                moments.append(moment)  # kept where a refusal ends the episode
        except PolicyRefusal:
            return moments if self.mover else []
        return moments if self.mover or judge(self.world, task.instruction).done else []

    def _moments(
        self, task: PickAndPlace, first: PickAndPlace, told_at_s: float, random: np.random.Generator
    ) -> Iterator[Moment]:
        policy, noise = self._policy(), self._noise(random, 0.0 if self.mover else NOISE_RAD)
        goals = np.stack([self._measured()] * 2)
        self.past.clear()
        offset = random.integers(self._every)
        rest_s = done_s = 0.0
        for frame in range(int(LONGEST_S / self._row_s)):
            now_s = frame * self._row_s
            self.past.append(self.world.data.qpos.copy())
            asked = task if now_s >= told_at_s else first
            observation = self._observation(now_s, asked, goals)
            looked_at = frame == 0 or frame % self._every == offset
            if not self.mover:
                rows = policy.infer(observation).positions
            elif looked_at:  # with no plan under way: what it says follows from what can be seen
                rows = self._policy().infer(observation).positions
            if looked_at:
                otherwise, other_rows = self._otherwise(observation, asked, random)
                if other_rows is not None:
                    age = min(int(random.integers(*IMAGE_AGE, endpoint=True)), frame) if self.mover else 0
                    yield Moment(now_s, self.past[-1 - age], self._measured(), asked, otherwise, rows, other_rows)
            push, goal = next(noise) * self._share_of_noise(), rows[1]
            if self.mover:
                goal = self._within_a_frame(goals[1], self.mover.goal(frame, observation))
            self._execute(goals[1] + push, goal + push)
            goals = np.stack([goals[1], goal])
            rest_s = rest_s + self._row_s if np.ptp(rows, axis=0).max() < AT_REST_RAD else 0.0
            done_s = done_s + self._row_s if self.mover and judge(self.world, asked.instruction).done else 0.0
            if (rest_s > REST_S or done_s > DONE_S) and now_s > told_at_s:
                return

    def _observation(self, now_s: float, asked: PickAndPlace, goals: np.ndarray) -> Observation:
        """As the graph would make it when the last two goals are what is being executed."""
        return Observation(
            stamp_s=now_s,
            images={},
            positions=self._measured(),
            instruction=asked.instruction,
            committed=goals,
            committed_start_s=now_s - self._row_s,
            delay_rows=len(goals),
            objects=self.world.objects(),
        )

    def _otherwise(
        self, observation: Observation, asked: PickAndPlace, random: np.random.Generator
    ) -> tuple[PickAndPlace, np.ndarray | None]:
        """Another task and what would be done for it; None where that is out of reach."""
        held = (
            np.linalg.norm(self._arm.pinch_point(observation.positions) - self._position(asked.cube)) < NEAR_OBJECTS_M
        )
        other = self._other_than(asked, random, other_cube=not held)
        changed = Observation(**{**vars(observation), "instruction": other.instruction})
        try:
            return other, self._policy().infer(changed).positions
        except PolicyRefusal:
            return other, None

    def _policy(self) -> ScriptedPolicy:
        """It leaves the wrist as it is: how a cube is turned takes more pixels to see than where it is."""
        return ScriptedPolicy(self._embodiment, along_sides=False, goes_on=self.mover is not None)

    def _other_than(self, task: PickAndPlace, random: np.random.Generator, other_cube: bool) -> PickAndPlace:
        others = [other for other in self._tasks if (other.cube != task.cube) == other_cube and other != task]
        return others[random.integers(len(others))]

    def _position(self, name: str) -> np.ndarray:
        return self.world.objects()[name].position

    def _execute(self, start: np.ndarray, goal: np.ndarray) -> None:
        """From one goal to the next in a frame's time."""
        torque = np.ones(len(goal), dtype=bool)
        for step in range(1, SUBSTEPS + 1):
            wanted = start + (goal - start) * step / SUBSTEPS
            self.world.set_setpoints(self._ticks.to_radians(np.rint(self._ticks.from_radians(wanted))), torque)
            self.world.step(self._physics_steps)

    def _within_a_frame(self, now: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """As far towards a goal as the joints may go in a frame."""
        most = self._embodiment.max_velocity_rad_s * self._row_s
        within = np.clip(goal, self._embodiment.lower_rad, self._embodiment.upper_rad)
        return now + np.clip(within - now, -most, most)

    def _noise(self, random: np.random.Generator, most_rad: float) -> Iterator[np.ndarray]:
        """Pushes (joints,) in rad, one a frame, that change slowly; the jaw has none."""
        amplitude = random.uniform(0.2, 1.0) * most_rad if random.random() < NOISY else 0.0
        kept = np.exp(-self._row_s / NOISE_MEMORY_S)
        push = np.zeros(len(self._embodiment.joints))
        while True:
            push = kept * push + np.sqrt(1 - kept**2) * amplitude * random.normal(size=len(push))
            push[GRIPPER] = 0.0
            yield push

    def _share_of_noise(self) -> float:
        """Less of it where the fingers are at a cube, or it would be knocked over."""
        point = self._arm.pinch_point(self.world.positions)
        near = [np.linalg.norm(self._position(item.name) - point) for item in self.world.scene_objects]
        return NEAR_SHARE if min(near) < NEAR_OBJECTS_M else 1.0

    def _start_elsewhere(self, random: np.random.Generator) -> None:
        home, lower, upper = self._embodiment.home_rad, self._embodiment.lower_rad, self._embodiment.upper_rad
        for _ in range(20):
            start = np.clip(home + random.uniform(-1, 1, len(home)) * ELSEWHERE_RAD, lower, upper)
            if self._arm.pinch_point(start)[2] > LOWEST_START_M:
                self.world.place(start, {})
                self._execute(start, start)
                return

    def _measured(self) -> np.ndarray:
        return self._ticks.to_radians(np.rint(self._ticks.from_radians(self.world.positions)))
