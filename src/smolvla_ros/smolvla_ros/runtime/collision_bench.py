"""`smolvla bench collision`: what the executor's collision check costs a chunk, and what it says of ordinary motion.

The scripted policy does every kind of task in the simulator, without a graph. Each of its chunks is looked at as the
executor looks at it, through its rows and to rest, with the table as the only obstacle.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.collision.arm_bodies import ArmBodies
from smolvla_ros.collision.obstacles import Obstacles
from smolvla_ros.embodiment import DEFAULT_FILE, Embodiment, load_embodiment
from smolvla_ros.execution.collisions import TOLERANCE_M, CollisionCheck, sample_times
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.execution.within_limits import motion_within
from smolvla_ros.runtime.description import robot_description, with_mesh_paths
from smolvla_ros.runtime.heard_policy import HeardPolicy
from smolvla_ros.simulation.tasks import TASK_NAMES, instructions
from smolvla_ros.simulation.trial import run_scene
from smolvla_ros.simulation.world import World

SEED = 4000
SCENES_A_TASK = 5
ARMS = ("so100", "so101")


def rows(_peer: Path | None) -> list[dict[str, Any]]:
    """A row for each arm. deepest_m: of any chunk in anything."""
    found = []
    for arm in ARMS:
        embodiment = load_embodiment(DEFAULT_FILE.with_name(f"{arm}.yaml"))
        begun = time.perf_counter()
        urdf = with_mesh_paths(robot_description(embodiment, "virtual", ""))
        described = time.perf_counter()
        bodies = ArmBodies(urdf, embodiment.joint_names, Obstacles())
        model_s = time.perf_counter() - described
        check = CollisionCheck(bodies.depths, TOLERANCE_M)
        motions = scripted_motions(embodiment, SCENES_A_TASK, SEED)
        took_s, refused = [], 0
        for motion in motions:
            begun_s = time.perf_counter()
            refused += check.first(motion) is not None
            took_s.append(time.perf_counter() - begun_s)
        found.append(
            {
                "arm": arm,
                "chunks": len(motions),
                "refused": refused,
                "deepest_m": float(f"{deepest_m(motions, bodies):.2g}"),
                "tolerance_m": TOLERANCE_M,
                "poses_p50": statistics.median(len(sample_times(motion)) for motion in motions),
                "median_s": float(f"{statistics.median(took_s):.3g}"),
                "min_s": float(f"{min(took_s):.3g}"),
                "max_s": float(f"{max(took_s):.3g}"),
                "model_s": round(model_s, 3),
                "urdf_s": round(described - begun, 3),
            }
        )
    return found


def scripted_motions(embodiment: Embodiment, scenes_a_task: int, seed: int) -> list[Trajectory]:
    """The motion of each chunk that the scripted policy gives in so many scenes of every kind of task."""
    world, policy = World(embodiment), HeardPolicy(embodiment)
    for task in TASK_NAMES:
        for scene in range(seed, seed + scenes_a_task):
            world.reset(scene, task)
            words = instructions(world.objects(), task)
            run_scene(world, policy, scene, words[scene % len(words)])
    limits, motions = MotionLimits.of(embodiment), []
    for chunk in (heard.chunk for heard in policy.heard):
        times_s = chunk.step_s * np.arange(1, len(chunk.positions))
        first, still = chunk.positions[0], np.zeros_like(chunk.positions[0])
        motions.append(motion_within(0.0, first, still, times_s, chunk.positions[1:], limits).trajectory)
    return motions


def deepest_m(motions: list[Trajectory], bodies: ArmBodies) -> float:
    """How deep any of the motions is in anything at its knots, m."""
    return max(max(bodies.depths(pose).values(), default=0.0) for motion in motions for pose in motion.positions)
