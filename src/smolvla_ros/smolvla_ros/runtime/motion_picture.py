"""The picture of what motion_display shows, drawn by the simulator's renderer where there is no rviz.

    python -m smolvla_ros.runtime.motion_picture docs/coming_motion.png

From left to right: a chunk on its way to a cube, one on its way to the box, one through the table, of which the
executor's collision check sends only the beginning. Dots are the chunk's rows, the line is the motion that is sent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from smolvla_ros.collision.arm_bodies import ArmBodies
from smolvla_ros.collision.obstacles import Obstacles
from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.execution.collisions import TOLERANCE_M, CollisionCheck, clear_motion
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.within_limits import LimitedMotion, motion_within
from smolvla_ros.runtime.description import robot_description, with_mesh_paths
from smolvla_ros.runtime.heard_policy import HeardPolicy
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.trial import Loop
from smolvla_ros.simulation.video import captioned
from smolvla_ros.simulation.world import World

INSTRUCTION, SEED = "put the red cube in the blue box", 7
AT_S = (0.35, 1.7)
CAMERA, WIDTH, HEIGHT = "viewer", 960, 720
STEP_S = 1 / 30
DOT, LINE = (51, 128, 255), (255, 140, 25)  # as motion_display's markers
BELOW_TABLE_M = 0.08


class Panels:
    """State: a world in which the scripted policy does a task."""

    def __init__(self, embodiment: Embodiment) -> None:
        self._embodiment, self._kinematics = embodiment, arm_of(embodiment).kinematics
        self._limits = MotionLimits.of(embodiment)
        self._world, self._policy = World(embodiment), HeardPolicy(embodiment)
        self._world.reset(SEED)
        self._loop = Loop(self._world, self._policy, embodiment, np.random.default_rng(SEED))
        self._renderer = Renderer(self._world, WIDTH, HEIGHT, fine=True)

    def task(self, until_s: float) -> np.ndarray:
        """(HEIGHT, WIDTH, 3) RGB: the arm at this time and its newest chunk."""
        while self._loop.now_s < until_s:
            self._loop.advance(INSTRUCTION)
        newest = self._policy.heard[-1]
        past = int((self._loop.now_s - newest.stamp_s) / STEP_S) + 1
        rows = newest.chunk.positions[past:]
        return self._drawn(rows, self._plan(rows, len(rows)), f"running: {INSTRUCTION}")

    def refused(self) -> np.ndarray:
        """(HEIGHT, WIDTH, 3) RGB: a chunk that goes on from here through the table."""
        urdf = with_mesh_paths(robot_description(self._embodiment, "virtual", ""))
        check = CollisionCheck(ArmBodies(urdf, self._embodiment.joint_names, Obstacles()).depths, TOLERANCE_M)
        self._world.reset(SEED)
        start = self._kinematics.arm_pose(self._world.positions)
        end = self._kinematics.downward_pose(np.array([0.24, -0.06, -BELOW_TABLE_M]), 0.0, 0.3)
        share = np.linspace(0.0, 1.0, 50)[:, None]
        rows = self._kinematics.joint_positions(start + share * (end - start))
        clear = clear_motion(lambda count: self._plan(rows, count), STEP_S * np.arange(1, len(rows) + 1), check)
        assert clear.collision is not None  # the chunk ends below the table
        told = check.told(clear.collision).partition(";")[0]
        return self._drawn(rows, clear.motion, f"rows refused: {told}")

    def close(self) -> None:
        self._renderer.close()

    def _plan(self, rows: np.ndarray, count: int) -> LimitedMotion:
        times_s, still = STEP_S * np.arange(1, count + 1), np.zeros(len(self._limits.names))
        return motion_within(0.0, self._world.positions, still, times_s, rows[:count], self._limits)

    def _drawn(self, rows: np.ndarray, motion: LimitedMotion | None, told: str) -> np.ndarray:
        self._renderer.take_state(self._world.data.qpos)
        image = np.ascontiguousarray(self._renderer.draw(CAMERA))
        for column, row in self._pixels(rows):
            cv2.circle(image, (column, row), 5, DOT, cv2.FILLED, cv2.LINE_AA)
        if motion is not None:
            line = np.array(self._pixels(motion.trajectory.positions), dtype=np.int32)
            cv2.polylines(image, [line], False, LINE, 3, cv2.LINE_AA)
        return captioned(image, told, "")

    def _pixels(self, rows: np.ndarray) -> list[tuple[int, int]]:
        seen = self._renderer.pixels(CAMERA, self._kinematics.pinch_path(rows))
        return [(round(column), round(row)) for column, row in seen.tolist()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="PNG to write")
    path: Path = parser.parse_args().picture
    panels = Panels(load_embodiment())
    try:
        images = [*(panels.task(at_s) for at_s in AT_S), panels.refused()]
    finally:
        panels.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    small = [cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA) for image in images]
    cv2.imwrite(str(path), np.hstack(small)[..., ::-1])
    print(f"picture {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
