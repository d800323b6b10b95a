"""Whether the task is done, by the simulator's own knowledge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.simulation.scene import BOX_HEIGHT_M, BOX_INNER_M, CUBE_EDGE_M
from smolvla_ros.simulation.tasks import TaskError, parse
from smolvla_ros.simulation.world import World

RESTING_M_S = 0.02


@dataclass(frozen=True)
class Verdict:
    """understood: the instruction names a task of this scene. message: what is seen, in words."""

    understood: bool
    done: bool
    message: str


def judge(world: World, instruction: str) -> Verdict:
    """Done is: the named cube lies at rest inside the named box, and no finger touches it."""
    try:
        task = parse(instruction)
    except TaskError as error:
        return Verdict(False, False, str(error))
    objects = world.objects()
    for name in (task.cube, task.box):
        if name not in objects:
            return Verdict(False, False, f"there is no {name} in this scene, which has: {', '.join(objects)}")
    offset = objects[task.cube].position - objects[task.box].position
    inside = bool(np.all(np.abs(offset[:2]) < BOX_INNER_M / 2)) and 0 < offset[2] < BOX_HEIGHT_M
    if not inside:
        away_mm = 1e3 * float(np.linalg.norm(offset))
        return Verdict(True, False, f"the {task.cube} is {away_mm:.0f} mm from the middle of the {task.box}")
    if world.touched_by_arm(task.cube):
        return Verdict(True, False, f"the {task.cube} is in the {task.box}, but a finger touches it")
    if world.speed(task.cube) > RESTING_M_S or offset[2] > CUBE_EDGE_M:
        return Verdict(True, False, f"the {task.cube} is in the {task.box}, but not at rest yet")
    return Verdict(True, True, f"the {task.cube} lies in the {task.box}")
