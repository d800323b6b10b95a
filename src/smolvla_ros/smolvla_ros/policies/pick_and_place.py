"""The motion that puts a cube into a box, from whatever the arm and the cube are doing now.

All figures are for the fingers of an SO-100 or SO-101, which are the same, and 25 mm cubes. Moves are between arm poses
(Kinematics.arm_pose).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smolvla_ros.policies.fingers import NARROW, WIDE, Obstacle, Opening, free_spots, overlap_m, yaw_of_sides
from smolvla_ros.policies.interface import ObjectPose
from smolvla_ros.policies.scripted_motion import Motion
from smolvla_ros.simulation.kinematics import (
    GRIPPER,
    HEIGHT,
    PAN,
    PITCH,
    ROLL,
    Kinematics,
)

CLOSED_RAD = -0.15
RELEASE_RAD = 0.45
# jaw angle at which a 25 mm cube is between the fingers
GRIPPED_BELOW_RAD = 0.35
GRIPPED_WITHIN_M = 0.02

GRASP_HEIGHT_M, GRASP_BELOW_CENTRE_M = 0.010, 0.0025
HOVER_HEIGHT_M = 0.065
CARRY_HEIGHT_M = 0.075
RELEASE_HEIGHT_M = 0.045
RELEASE_ON_CUBE_M = 0.037  # a cube's edge above where it was grasped, and a little more
PUT_BACK_HEIGHT_M = 0.025

# rad of wrist turn that a finger's overlap with an obstacle is worth, and a narrow opening
COST_PER_OVERLAP_M, COST_OF_NARROW = 150.0, 0.5

# of the wrist, tried where the jaw need not lie along the cube's sides
TURNS_RAD = np.radians([0, 15, -15, 30, -30, 45, -45, 60, -60, 90, -90]).tolist()

SLOWEST_SHARE_RAD_S = 2.0

# from the line on which the fingers close on a cube, seen from above: near enough to come straight down, or to close
LINED_UP_M, LOW_WITHIN_M = 0.008, 0.008
# from the middle of a box, near enough to come down and to let go; and how much lower than usual is high enough
OVER_WITHIN_M, LET_GO_WITHIN_M, LOWER_M = 0.015, 0.008, 0.012
OPEN_ABOVE_RAD, DOWN_M_PER_S = 0.45, 0.12
# of the joint that goes farthest: nothing to be done, and as much as a whole move
NO_WAY_RAD, WHOLE_MOVE_RAD = 0.005, 0.3


class OutOfReach(ValueError):
    """The fingers cannot get there. The message says where and how far off."""


def gripped(arm: Kinematics, positions: np.ndarray, cube: ObjectPose) -> bool:
    """Whether the jaw is closed on the cube, by the measured positions (6,)."""
    near = np.linalg.norm(arm.pinch_point(positions) - cube.position) < GRIPPED_WITHIN_M
    return bool(near and positions[GRIPPER] < GRIPPED_BELOW_RAD)


class ArmMoves:
    """Builds motions within joint limits (6,) and velocity limits (6,) in rad and rad/s; keeps nothing else.

    along_sides: the jaw is laid along a cube's sides; if not, the wrist stays as it is, and the fingers turn the cube.
    goes_on: the first move is under way already, and what is left of one takes less time than the whole; fingers that
    are right above a cube or around it come down or close, and those above the box let go, whoever has brought them
    there. If not, they rise and begin anew.
    """

    def __init__(
        self,
        arm: Kinematics,
        lower_rad: np.ndarray,
        upper_rad: np.ndarray,
        max_velocity_rad_s: np.ndarray,
        along_sides: bool = True,
        goes_on: bool = False,
    ) -> None:
        self._arm, self._along_sides, self._goes_on = arm, along_sides, goes_on
        self._lower_m = LOWER_M if goes_on else 0.0
        self._lower, self._upper, self._max_velocity = lower_rad, upper_rad, max_velocity_rad_s

    def place(
        self,
        motion: Motion,
        home: np.ndarray,
        cube: ObjectPose,
        target: ObjectPose,
        others: Sequence[Obstacle],
        release_m: float = RELEASE_HEIGHT_M,
    ) -> None:
        """Picks the cube, puts it into the box or on the cube, goes home. `others` are what to keep the fingers off;
        release_m: how high the fingers let go.

        Raises OutOfReach.
        """
        low = _grasp_height(cube)
        grasp, opening = self._grasp(motion.end_pose, cube, others)
        yaw = _jaw_yaw(grasp)
        aside = self._reachable(
            "cube", _shifted(cube.position, yaw, opening.clearance_m, low), yaw, opening.gripper_rad
        )
        above = self._reachable(
            "cube", _shifted(cube.position, yaw, opening.clearance_m, HOVER_HEIGHT_M), yaw, opening.gripper_rad
        )
        where = self._lined_up(motion.end_pose, aside, grasp) if self._goes_on else None
        if where is None:
            self.rise(motion)
            self._go(motion, above, at_least_s=0.7)
            self._go(motion, aside, at_least_s=0.5, overlap_s=0.15)
        elif where > LOW_WITHIN_M:
            self._go(motion, aside, at_least_s=where / DOWN_M_PER_S)
        motion.mark("touch")
        self._go(motion, grasp, at_least_s=0.4)
        motion.wait(0.08)
        motion.mark("grasped")
        self.carry(motion, home, target, release_m)

    def carry(self, motion: Motion, home: np.ndarray, target: ObjectPose, release_m: float = RELEASE_HEIGHT_M) -> None:
        """From a cube between the closed fingers: lift, put it down, go home. Raises OutOfReach."""
        there = self._goes_on and self._is_over(motion.end_pose, target)
        if motion.end_pose[GRIPPER] > CLOSED_RAD and not there:
            self._go(motion, _with(motion.end_pose, gripper=CLOSED_RAD), at_least_s=0.25)
        lifted = self._upright(_with(motion.end_pose, height=max(CARRY_HEIGHT_M, motion.end_pose[HEIGHT])))
        over, into = self._over(lifted, target, release_m)
        if there:
            into[HEIGHT] = min(motion.end_pose[HEIGHT], into[HEIGHT])
            if self._may_let_go(motion.end_pose, into):
                into = motion.end_pose
        else:
            if motion.end_pose[HEIGHT] < CARRY_HEIGHT_M - self._lower_m:
                self._go(motion, lifted, at_least_s=0.45)
            motion.mark("lifted")
            self._go(motion, over, at_least_s=0.6, overlap_s=0.15)
        self._go(motion, into, at_least_s=0.35, overlap_s=0.1)
        motion.mark("release")
        self._go(motion, _with(into, gripper=RELEASE_RAD), at_least_s=0.25)
        motion.mark("released")
        self._go(motion, _with(over, gripper=RELEASE_RAD), at_least_s=0.35, overlap_s=0.05)
        self._go(motion, home, at_least_s=0.8, overlap_s=0.2)

    def go_home(self, motion: Motion, home: np.ndarray) -> None:
        self._go(motion, home, at_least_s=0.6, overlap_s=0.1)

    def let_go(self, motion: Motion, others: Sequence[Obstacle]) -> None:
        """Lays down what is between the fingers, near by where there is room, opens the jaw, and rises. What has no
        room is laid down where it is.
        """
        if motion.end_pose[GRIPPER] < WIDE.gripper_rad:
            if motion.end_pose[HEIGHT] > HOVER_HEIGHT_M:
                for pose in self._aside(motion.end_pose, others):
                    self._go(motion, pose, at_least_s=0.4)
                self._go(motion, _with(motion.end_pose, height=PUT_BACK_HEIGHT_M), at_least_s=0.4)
            self._go(motion, _with(motion.end_pose, gripper=WIDE.gripper_rad), at_least_s=0.3)
        self.rise(motion)

    def _aside(self, pose: np.ndarray, others: Sequence[Obstacle]) -> list[np.ndarray]:
        """The way to above a place on the table where there is room; none where it is there, or nowhere."""
        here = self._arm.pinch_point(self._arm.joint_positions(pose))
        for spot in free_spots(here[:2], others):
            if np.array_equal(spot, here[:2]):
                return []
            try:
                return [self._reachable("table", np.append(spot, CARRY_HEIGHT_M), _jaw_yaw(pose), pose[GRIPPER])]
            except OutOfReach:
                continue
        return []

    def rise(self, motion: Motion) -> None:
        """Straight up, where the fingers are low enough to push things about."""
        if motion.end_pose[HEIGHT] < HOVER_HEIGHT_M - self._lower_m:
            self._go(motion, self._upright(_with(motion.end_pose, height=HOVER_HEIGHT_M)), at_least_s=0.35)

    def _go(self, motion: Motion, pose: np.ndarray, at_least_s: float, overlap_s: float = 0.0) -> None:
        """Adds a move as long as the fastest joint needs at a natural speed. What is left of a move takes less."""
        way = np.abs(self._arm.joint_positions(pose) - self._arm.joint_positions(motion.end_pose))
        speed = np.minimum(self._max_velocity, np.where(np.arange(len(way)) == GRIPPER, np.inf, SLOWEST_SHARE_RAD_S))
        under_way = self._goes_on and not motion.moves
        if self._goes_on:
            if way.max() < NO_WAY_RAD:
                return
            share = min(1.0, (1 + under_way) * float(way.max()) / WHOLE_MOVE_RAD) / (1 + under_way)
            at_least_s, overlap_s = share * at_least_s, share * overlap_s
        # the top speed of a minimum-jerk move is 15/8 of its mean, of its second half as well
        motion.move_to(pose, max(at_least_s, float((15 / 8 * way / speed).max())), overlap_s, under_way)

    def _lined_up(self, pose: np.ndarray, aside: np.ndarray, grasp: np.ndarray) -> float | None:
        """How far the fingers are above the place where they close, m; None where they are beside it or closed."""
        here, first, last = (self._arm.pinch_point(self._arm.joint_positions(each)) for each in (pose, aside, grasp))
        way = (last - first)[:2]
        share = np.clip(np.dot((here - first)[:2], way) / np.dot(way, way), 0.0, 1.0)
        off, above = np.linalg.norm((here - first)[:2] - share * way), float(here[2] - first[2])
        around = above <= LOW_WITHIN_M  # the jaw may have begun to close
        inside = around or (above < HOVER_HEIGHT_M and pose[GRIPPER] > OPEN_ABOVE_RAD)
        return above if inside and off < LINED_UP_M else None

    def _is_over(self, pose: np.ndarray, target: ObjectPose) -> bool:
        point = self._arm.pinch_point(self._arm.joint_positions(pose))
        return bool(np.linalg.norm((point - target.position)[:2]) < OVER_WITHIN_M)

    def _may_let_go(self, pose: np.ndarray, into: np.ndarray) -> bool:
        here, there = (self._arm.pinch_point(self._arm.joint_positions(each)) for each in (pose, into))
        return bool(np.linalg.norm((here - there)[:2]) < LET_GO_WITHIN_M and pose[HEIGHT] - into[HEIGHT] < LOWER_M)

    def _grasp(self, start: np.ndarray, cube: ObjectPose, others: Sequence[Obstacle]) -> tuple[np.ndarray, Opening]:
        """The closed pose on the cube, clear of the others, with the least turn of the wrist.

        Raises OutOfReach.
        """
        best, best_cost = None, np.inf
        refused = OutOfReach("")
        for yaw in self._yaws(cube):
            point = _shifted(cube.position, yaw, 0.0, _grasp_height(cube))
            try:
                pose = self._reachable("cube", point, yaw, CLOSED_RAD)
            except OutOfReach as error:
                refused = error
                continue
            for opening, cost in ((WIDE, 0.0), (NARROW, COST_OF_NARROW)):
                cost += abs(pose[ROLL]) + 0.3 * abs(pose[ROLL] - start[ROLL])
                cost += COST_PER_OVERLAP_M * sum(overlap_m(cube, other, yaw, opening) for other in others)
                if cost < best_cost:
                    best, best_cost = (pose, opening), cost
        if best is None:
            raise refused
        return best

    def _yaws(self, cube: ObjectPose) -> list[float]:
        """Directions of the jaw to choose from, rad."""
        if self._along_sides:
            return [yaw_of_sides(cube.quaternion) + quarter * np.pi / 2 for quarter in range(4)]
        pan = float(self._arm.downward_pose(cube.position, 0.0, CLOSED_RAD)[PAN])
        return [pan + turn + np.pi for turn in TURNS_RAD]

    def _over(self, held: np.ndarray, target: ObjectPose, release_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Poses above the target and where to let go, without turning the wrist against the arm."""
        what, yaw = "box" if release_m == RELEASE_HEIGHT_M else "lower cube", _jaw_yaw(held)
        for _ in range(3):
            over = self._arm.downward_pose(target.position, yaw, CLOSED_RAD)
            yaw = over[PAN] + held[ROLL] + np.pi
        x, y = target.position[:2]
        return (
            self._reachable(what, np.array([x, y, CARRY_HEIGHT_M]), yaw, CLOSED_RAD),
            self._reachable(what, np.array([x, y, release_m]), yaw, CLOSED_RAD),
        )

    def _reachable(self, what: str, point: np.ndarray, yaw: float, gripper: float) -> np.ndarray:
        pose = self._upright(self._arm.downward_pose(point, yaw, gripper))
        missed = float(np.linalg.norm(self._arm.pinch_point(self._arm.joint_positions(pose)) - point))
        if missed > 0.01 or not self._within_limits(pose):
            x, y, z = point
            raise OutOfReach(
                f"the {what} at ({x:.3f}, {y:.3f}, {z:.3f}) m, {np.hypot(x, y):.2f} m from the base;"
                " the fingers reach 0.13 to 0.30 m"
            )
        return pose

    def _upright(self, pose: np.ndarray) -> np.ndarray:
        """The pose with its fingers as near to straight down as the joints' limits let it."""
        for pitch in np.arange(0.0, 0.8, 0.04):
            tilted = _with(pose, pitch=float(pitch))
            if self._within_limits(tilted):
                return tilted
        return pose

    def _within_limits(self, pose: np.ndarray) -> bool:
        positions = self._arm.joint_positions(pose)
        inside = np.all(positions >= self._lower) and np.all(positions <= self._upper)
        return bool(inside and np.abs(self._arm.arm_pose(positions) - pose).max() < 1e-4)


def _with(
    pose: np.ndarray, height: float | None = None, pitch: float | None = None, gripper: float | None = None
) -> np.ndarray:
    changed = pose.copy()
    for column, value in ((HEIGHT, height), (PITCH, pitch), (GRIPPER, gripper)):
        if value is not None:
            changed[column] = value
    return changed


def _jaw_yaw(pose: np.ndarray) -> float:
    return float(pose[PAN] + pose[ROLL] + np.pi)


def _shifted(position: np.ndarray, yaw: float, by_m: float, height_m: float) -> np.ndarray:
    """A point beside `position`, towards the fixed finger, at a height."""
    return np.array([position[0] + by_m * np.cos(yaw), position[1] + by_m * np.sin(yaw), height_m])


def _grasp_height(cube: ObjectPose) -> float:
    return max(GRASP_HEIGHT_M, float(cube.position[2]) - GRASP_BELOW_CENTRE_M)
