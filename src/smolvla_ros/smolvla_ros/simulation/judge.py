"""Whether the task is done, by the simulator's own knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from smolvla_ros.policies.interface import ObjectPose
from smolvla_ros.simulation.scene import BOX_HEIGHT_M, BOX_INNER_M, CUBE_EDGE_M
from smolvla_ros.simulation.tasks import Placement, TaskError, parse
from smolvla_ros.simulation.world import World

RESTING_M_S = 0.02
STACKED_WITHIN_M = 0.004


@dataclass(frozen=True)
class Verdict:
    """understood: the instruction names a task of this scene. message: what is seen, in words."""

    understood: bool
    done: bool
    message: str


def judge(world: World, instruction: str) -> Verdict:
    """Done is: each named cube lies at rest inside its box, or on the other cube, and no finger touches it."""
    try:
        task = parse(instruction)
    except TaskError as error:
        return Verdict(False, False, str(error))
    objects = world.objects()
    placements = task.placements(objects)
    for name in (name for one in placements for name in (one.cube, one.target)):
        if name not in objects:
            return Verdict(False, False, f"there is no {name} in this scene, which has: {', '.join(objects)}")
    verdicts = [_judge_placement(world, objects, one) for one in placements]
    return next((verdict for verdict in verdicts if not verdict.done), verdicts[-1])


def _judge_placement(world: World, objects: Mapping[str, ObjectPose], one: Placement) -> Verdict:
    offset = objects[one.cube].position - objects[one.target].position
    away_mm = 1e3 * float(np.linalg.norm(offset))
    place = f"on the {one.target}" if one.on_cube else f"in the {one.target}"
    if one.on_cube:
        there = float(np.abs(offset[:2]).max()) < CUBE_EDGE_M / 2 and abs(offset[2] - CUBE_EDGE_M) < STACKED_WITHIN_M
        settled = True
    else:
        there = bool(np.all(np.abs(offset[:2]) < BOX_INNER_M / 2)) and 0 < offset[2] < BOX_HEIGHT_M
        settled = offset[2] <= CUBE_EDGE_M
    if not there:
        return Verdict(True, False, f"the {one.cube} is {away_mm:.0f} mm from the middle of the {one.target}")
    if world.touched_by_arm(one.cube):
        return Verdict(True, False, f"the {one.cube} is {place}, but a finger touches it")
    if world.speed(one.cube) > RESTING_M_S or not settled:
        return Verdict(True, False, f"the {one.cube} is {place}, but not at rest yet")
    return Verdict(True, True, f"the {one.cube} lies {place}")
