"""The scripted policy puts the named cube into the box or on the cube named, from ground truth by inverse kinematics.

It plans one motion on the observations' clock and cuts every chunk out of it, so chunks for the same time agree however
late or often they are asked for; an arm that is behind the plan, as it was held or goes slower, does it later. At each
observation it compares the plan with the arm and the objects; where they differ (a cube slipped or was moved, the arm
was moved) it plans anew from the present state.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.fingers import Obstacle
from smolvla_ros.policies.interface import Chunk, ObjectPose, Observation, PolicyRefusal, infer_one_by_one
from smolvla_ros.policies.pick_and_place import (
    RELEASE_HEIGHT_M,
    RELEASE_ON_CUBE_M,
    ArmMoves,
    OutOfReach,
    gripped,
)
from smolvla_ros.policies.scripted_motion import Motion
from smolvla_ros.policies.scripted_progress import behind_s
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.kinematics import GRIPPER
from smolvla_ros.simulation.tasks import Placement, next_placement, parse

HORIZON = 50
SPEED_SHARE = 0.6

# How far the world may be from the plan before there is a new one.
ARM_OFF_RAD = 0.15
ARM_LATE_S = 0.4
CUBE_MOVED_M = 0.008
BOX_MOVED_M = 0.01
HELD_WITHIN_M = 0.045
SETTLE_S = 0.5

CUBE_HALF_M, BOX_HALF_M = 0.0125, 0.048
# of a box's corners from its middle, along its sides: where a cube is put when the box already holds one, which may lie
# in the middle, turned any way
CORNER_M = 0.023
# the judge's measure: inside the walls, below their top
IN_BOX_M, IN_BOX_HEIGHT_M, STACKED_WITHIN_M = 0.04, 0.026, 0.004
FALLING_ABOVE_M = 0.03  # higher than a cube that leans on a box's wall

# An arm that has nothing queued begins to move once the chunk can have arrived.
LEAD_S = 0.15
COMMITTED_OFF_RAD, QUEUE_OFF_RAD = 0.5, 0.25
SAME_ROW_RAD = 0.02


@dataclass(frozen=True)
class Plan:
    """A motion, and the task and the object poses that it was made for. target: the box, or the cube below."""

    instruction: str
    task: Placement
    motion: Motion
    cube: ObjectPose
    target: ObjectPose


class ScriptedPolicy:
    """State: the plan being carried out."""

    name = "scripted"
    cameras: tuple[str, ...] = ()
    needs_objects = True

    def __init__(self, embodiment: Embodiment, along_sides: bool = True, goes_on: bool = False) -> None:
        """along_sides, goes_on: as ArmMoves takes them."""
        self._goes_on = goes_on
        self._step_s = 1.0 / embodiment.rates.policy_hz
        self._arm = arm_of(embodiment).kinematics
        self._moves = ArmMoves(
            self._arm,
            embodiment.lower_rad,
            embodiment.upper_rad,
            SPEED_SHARE * embodiment.max_velocity_rad_s,
            along_sides,
            goes_on,
        )
        self._lower, self._upper = embodiment.lower_rad, embodiment.upper_rad
        self._max_velocity = SPEED_SHARE * embodiment.max_velocity_rad_s
        self._home = self._arm.arm_pose(embodiment.home_rad)
        self._plan: Plan | None = None

    def for_another_robot(self, embodiment: Embodiment) -> ScriptedPolicy:
        return ScriptedPolicy(embodiment)

    @staticmethod
    def infer_together(asked: Sequence[tuple[ScriptedPolicy, Observation]]) -> list[Chunk | Exception]:
        return infer_one_by_one(asked)

    def reset(self) -> None:
        self._plan = None

    def infer(self, observation: Observation) -> Chunk:
        """Raises PolicyRefusal for an unknown instruction, objects that are missing or out of reach.

        Its time is told as `denoise`: there a model makes its rows.
        """
        began_s = time.perf_counter()
        task, cube, target = self._look_up(observation)
        observation = observation.at_step(self._step_s)
        if self._plan is not None:
            self._plan.motion.start_s += behind_s(self._plan.motion, observation, self._step_s)
        if self._plan is None or not self._still_holds(self._plan, observation, task, cube, target):
            self._plan = self._make_plan(observation, task, cube, target)
        times_s = observation.stamp_s + self._step_s * np.arange(HORIZON)
        positions = np.clip(self._plan.motion.positions(times_s), self._lower, self._upper)
        _keep_committed(positions, times_s, observation, self._step_s, self._plan.motion.start_s)
        return Chunk(positions, self._step_s, latency_s={"denoise": time.perf_counter() - began_s})

    def _look_up(self, observation: Observation) -> tuple[Placement, ObjectPose, ObjectPose]:
        try:
            task = parse(observation.instruction)
        except ValueError as error:
            raise PolicyRefusal(str(error)) from None
        objects = observation.objects
        if objects is None:
            raise PolicyRefusal(
                "the scripted policy needs the simulator's object poses and got none: is the simulator running?"
                " On a real arm give a checkpoint as the policy"
            )
        for name in (name for one in task.placements(objects) for name in (one.cube, one.target)):
            if name not in objects:
                known = ", ".join(sorted(objects)) or "nothing"
                raise PolicyRefusal(f"'{observation.instruction}': there is no {name} in the scene, which has: {known}")
        now = next_placement(task, objects, lambda one: _placed(one, objects[one.cube], objects[one.target]))
        return now, objects[now.cube], objects[now.target]

    def _still_holds(
        self, plan: Plan, observation: Observation, task: Placement, cube: ObjectPose, target: ObjectPose
    ) -> bool:
        """Whether the arm and the objects are where the plan has them."""
        motion, now_s = plan.motion, observation.stamp_s
        if observation.instruction != plan.instruction or task != plan.task or now_s < motion.start_s - 1.0:
            return False
        late = now_s > motion.start_s + ARM_LATE_S and not _follows_queue(observation)
        if late and _off_course(motion, now_s, observation.positions):
            return False
        if now_s < motion.time_of("released") and _distance(target, plan.target) > BOX_MOVED_M:
            return False
        if now_s < motion.time_of("touch") and "touch" in motion.marks:
            return _distance(cube, plan.cube) < CUBE_MOVED_M
        if motion.time_of("lifted") + ARM_LATE_S < now_s < motion.time_of("release"):
            return bool(np.linalg.norm(self._arm.pinch_point(observation.positions) - cube.position) < HELD_WITHIN_M)
        settled = now_s > motion.time_of("released") + SETTLE_S or "released" not in motion.marks
        return not settled or _placed(task, cube, target)

    def _make_plan(self, observation: Observation, task: Placement, cube: ObjectPose, target: ObjectPose) -> Plan:
        assert observation.objects is not None
        motion = self._continue_from(observation)
        cubes = {name: pose for name, pose in observation.objects.items() if name.endswith("cube")}
        held = next((name for name, pose in cubes.items() if gripped(self._arm, observation.positions, pose)), None)
        standing = {name: _obstacle(name, pose) for name, pose in observation.objects.items() if name != held}
        into, release_m = target, RELEASE_ON_CUBE_M
        if not task.on_cube:
            into = _free_place(target, [pose for name, pose in cubes.items() if name != task.cube])
            release_m = RELEASE_HEIGHT_M
        try:
            if held == task.cube and not _released_into(cube, target, observation.positions):
                self._moves.carry(motion, self._home, into, release_m)
            elif _placed(task, cube, target) or (self._goes_on and held is None and _falls_into(task, cube, target)):
                if held is not None:
                    self._moves.let_go(motion, list(standing.values()))
                self._moves.rise(motion)
                self._moves.go_home(motion, self._home)
            else:
                if held is not None:
                    self._moves.let_go(motion, list(standing.values()))
                others = [obstacle for name, obstacle in standing.items() if name != task.cube]
                self._moves.place(motion, self._home, cube, into, others, release_m)
        except OutOfReach as error:
            raise PolicyRefusal(f"'{observation.instruction}': out of reach is {error}") from None
        motion.keep_within(self._max_velocity)
        return Plan(observation.instruction, task, motion, cube, target)

    def _continue_from(self, observation: Observation) -> Motion:
        """A motion that begins where what is being executed ends, or where the arm is."""
        committed = _executed_meanwhile(observation)
        if self._goes_on:
            return self._begun_before(observation)
        if committed is not None and len(committed):
            off = np.abs(committed[0] - observation.positions)
            off[GRIPPER] = 0.0
            if off.max() < COMMITTED_OFF_RAD:
                start_s = observation.committed_start_s + self._step_s * (len(committed) - 1)
                poses = self._arm.arm_pose(np.stack([self._row_before(committed, start_s), committed[-1]]))
                return Motion(self._arm, start_s, poses[1], (poses[1] - poses[0]) / self._step_s)
        lead_s = max(LEAD_S, observation.delay_rows * self._step_s)
        return Motion(
            self._arm,
            observation.stamp_s + lead_s,
            self._arm.arm_pose(observation.positions),
            np.zeros(len(self._lower)),
        )

    def _begun_before(self, observation: Observation) -> Motion:
        """A motion that goes on from what can be seen; only how far the jaw was told to close cannot."""
        pose = self._arm.arm_pose(observation.positions)
        if observation.committed is not None and len(observation.committed):
            pose[GRIPPER] = observation.committed[-1][GRIPPER]
        return Motion(self._arm, observation.stamp_s, pose, np.zeros(len(self._lower)))

    def _row_before(self, committed: np.ndarray, last_s: float) -> np.ndarray:
        """The row before the last committed one; where only one is, the old plan's if that is what is executed."""
        if len(committed) > 1:
            return committed[-2]
        if self._plan is not None:
            before, same = self._plan.motion.positions(last_s - np.array([self._step_s, 0.0]))
            if np.abs(same - committed[-1]).max() < SAME_ROW_RAD:
                return before
        return committed[-1]


class StillWristPolicy(ScriptedPolicy):
    """Leaves the wrist as it is, and lets the fingers turn the cube: what a small model can learn of it."""

    name = "still_wrist"

    def __init__(self, embodiment: Embodiment) -> None:
        super().__init__(embodiment, along_sides=False)

    def for_another_robot(self, embodiment: Embodiment) -> StillWristPolicy:
        return StillWristPolicy(embodiment)


def _executed_meanwhile(observation: Observation) -> np.ndarray | None:
    return None if observation.committed is None else observation.committed[: observation.delay_rows]


def _keep_committed(
    positions: np.ndarray, times_s: np.ndarray, observation: Observation, step_s: float, plan_start_s: float
) -> None:
    """Rows before the plan's start are those that will be executed anyway."""
    committed = _executed_meanwhile(observation)
    if committed is None or not len(committed):
        return
    committed_s = observation.committed_start_s + step_s * np.arange(len(committed))
    before = times_s < min(plan_start_s, committed_s[-1])
    for joint in range(positions.shape[1]):
        positions[before, joint] = np.interp(times_s[before], committed_s, committed[:, joint])


def _follows_queue(observation: Observation) -> bool:
    """Whether the arm is where queued rows have it: these may be older than the plan, whose rows are still to come."""
    if observation.committed is None or not len(observation.committed):
        return False
    off = np.abs(observation.committed[0] - observation.positions)
    off[GRIPPER] = 0.0
    return bool(off.max() < QUEUE_OFF_RAD)


def _off_course(motion: Motion, now_s: float, positions: np.ndarray) -> bool:
    """Whether the arm is nowhere near the plan of the last moments. The jaw may be stopped by a cube."""
    recent = motion.positions(now_s - np.linspace(0.0, ARM_LATE_S, 9))
    off = np.abs(recent - positions)
    off[:, GRIPPER] = 0.0
    return bool(off.max(axis=1).min() > ARM_OFF_RAD)


def _obstacle(name: str, pose: ObjectPose) -> Obstacle:
    return Obstacle(pose, CUBE_HALF_M if name.endswith("cube") else BOX_HALF_M)


def _distance(one: ObjectPose, other: ObjectPose) -> float:
    return float(np.linalg.norm(one.position[:2] - other.position[:2]))


def _placed(task: Placement, cube: ObjectPose, target: ObjectPose) -> bool:
    if not task.on_cube:
        return _in_box(cube, target)
    above_m = cube.position[2] - target.position[2]
    return _distance(cube, target) < CUBE_HALF_M and abs(above_m - 2 * CUBE_HALF_M) < STACKED_WITHIN_M


def _in_box(cube: ObjectPose, box: ObjectPose) -> bool:
    beside = np.abs(cube.position[:2] - box.position[:2]).max()
    return bool(beside < IN_BOX_M and cube.position[2] < IN_BOX_HEIGHT_M)


def _falls_into(task: Placement, cube: ObjectPose, box: ObjectPose) -> bool:
    inside = np.abs(cube.position[:2] - box.position[:2]).max() < IN_BOX_M
    return bool(inside and not task.on_cube and cube.position[2] > FALLING_ABOVE_M)


def _free_place(box: ObjectPose, others: Sequence[ObjectPose]) -> ObjectPose:
    """The middle of the box; where cubes lie in it, the corner that is farthest from them."""
    inside = [pose.position[:2] - box.position[:2] for pose in others if _in_box(pose, box)]
    if not inside:
        return box
    corners = CORNER_M * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    clear_m = np.linalg.norm(corners[:, None] - np.array(inside), axis=2).min(axis=1)
    return ObjectPose(box.position + np.append(corners[np.argmax(clear_m)], 0.0), box.quaternion)


def _released_into(cube: ObjectPose, box: ObjectPose, positions: np.ndarray) -> bool:
    return _in_box(cube, box) and positions[GRIPPER] > 0.0 and cube.position[2] < 0.02
