"""Whether a policy's words are bound to what it sees: the first chunk of a scene, asked for each of two cubes.

At rest at home nothing but the word tells which cube is meant. A policy that reads its target off the arm's own motion
succeeds in half of all scenes and has a low loss; here it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import Observation, Policy
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.tasks import PickAndPlace
from smolvla_ros.simulation.world import World


def word_swap(policy: Policy, embodiment: Embodiment, seeds: Sequence[int]) -> dict[str, Any]:
    """Figures over scenes, of the fingers at the chunk's end, on the table.

    named_share: nearer to where the scripted policy is then for the named cube than to where it is for the other.
    shift_mm: how far the other word moves them; scripted_shift_mm: the scripted policy's; aligned_share: how much of
    the scripted shift the policy's is, along its direction, 1 for a perfect one. off_mm: median distance to the
    scripted policy's. Raises NoRenderer, PolicyRefusal.
    """
    world = World(embodiment)
    sizes = {(c.width, c.height) for c in embodiment.cameras if c.name in policy.cameras}
    renderers = {size: Renderer(world, *size) for size in sizes}
    ends, wanted = [], []
    for seed in seeds:
        world.reset(seed)
        names = list(world.objects())
        cubes, boxes = ([name for name in names if name.endswith(kind)] for kind in (" cube", " box"))
        images = {}
        for camera in embodiment.cameras:
            if camera.name in policy.cameras:
                renderer = renderers[camera.width, camera.height]
                renderer.take_state(world.data.qpos)
                images[camera.name] = renderer.draw(camera.name)
        pair = [
            _ends(policy, embodiment, world, images, PickAndPlace(cube, boxes[seed % len(boxes)])) for cube in cubes[:2]
        ]
        ends.append([own for own, _ in pair])
        wanted.append([scripted for _, scripted in pair])
    for renderer in renderers.values():
        renderer.close()
    return _figures(np.array(ends), np.array(wanted))


def _ends(
    policy: Policy, embodiment: Embodiment, world: World, images: dict[str, np.ndarray], task: PickAndPlace
) -> tuple[np.ndarray, np.ndarray]:
    """Where the policy's and the scripted policy's fingers are at the end of the policy's chunk: (2,) m each."""
    seen = Observation(
        stamp_s=0.0,
        images=images,
        positions=world.positions,
        instruction=task.instruction,
        committed=world.positions[None],
        delay_rows=1,
        objects=world.objects(),
    )
    policy.reset()
    rows, scripted = policy.infer(seen).positions, ScriptedPolicy(embodiment).infer(seen).positions
    last = min(len(rows), len(scripted)) - 1
    pinch_point = arm_of(embodiment).kinematics.pinch_point
    return pinch_point(rows[last])[:2], pinch_point(scripted[last])[:2]


def _figures(ends: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
    """ends, wanted (scenes, 2 words, 2) in m."""
    own = np.linalg.norm(ends - wanted, axis=2)
    other = np.linalg.norm(ends - wanted[:, ::-1], axis=2)
    shift, scripted = ends[:, 0] - ends[:, 1], wanted[:, 0] - wanted[:, 1]
    return {
        "scenes": len(ends),
        "named_share": round(float((own < other).mean()), 4),
        "shift_mm": round(1e3 * float(np.linalg.norm(shift, axis=1).mean()), 2),
        "scripted_shift_mm": round(1e3 * float(np.linalg.norm(scripted, axis=1).mean()), 2),
        "aligned_share": round(float((shift * scripted).sum() / (scripted**2).sum()), 4),
        "off_mm": round(1e3 * float(np.median(own)), 2),
    }
