"""What the cameras and encoders see while the scripted policy does a task: observations to try other policies on."""

from __future__ import annotations

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.tasks import instructions
from smolvla_ros.simulation.trial import Loop
from smolvla_ros.simulation.world import World

EVERY_S = 0.5


def observe_scene(embodiment: Embodiment, seed: int, count: int) -> list[Observation]:
    """`count` observations of one scene, half a second apart, with the instruction that the arm follows."""
    world = World(embodiment)
    world.reset(seed)
    instruction = instructions(world.objects())[0]
    loop = Loop(world, ScriptedPolicy(embodiment), embodiment, np.random.default_rng(seed))
    renderers = {camera.name: Renderer(world, camera.width, camera.height) for camera in embodiment.cameras}
    observations: list[Observation] = []
    try:
        while len(observations) < count:
            images = {}
            for name, renderer in renderers.items():
                renderer.take_state(world.data.qpos)
                images[name] = renderer.draw(name)
            observations.append(Observation(loop.now_s, images, world.positions, instruction))
            until_s = loop.now_s + EVERY_S
            while loop.now_s < until_s:
                loop.advance(instruction)
    finally:
        for renderer in renderers.values():
            renderer.close()
    return observations
