"""Scenes that differ in what a policy must not depend on: light, shades, table, boxes' places, how cameras are mounted.

    variation = SceneVariation(world)
    variation.draw(random)      # after world.reset: this scene's own light, shades, box places and camera poses
    variation.undo()            # the scene as it is shipped

Only the world's model changes, so renderers made for it draw what is varied.
"""

from __future__ import annotations

import mujoco
import numpy as np

from smolvla_ros.simulation.world import World

# how far each way: metres and radians of a camera's mount, shares of brightness, metres of a box
CAMERA_SHIFT_M, CAMERA_TURN_RAD = 0.003, 0.01
LIGHT_SHARE, LIGHT_TURN, SHADE = 0.3, 0.15, 0.08
BOX_SHIFT_M = (0.03, 0.012)


class SceneVariation:
    """State: the shipped values of all that it changes."""

    def __init__(self, world: World) -> None:
        self._world, self._model = world, world.model
        model = world.model
        self._shipped = {
            name: getattr(model, name).copy()
            for name in ("cam_pos", "cam_quat", "light_diffuse", "light_dir", "geom_rgba", "mat_rgba")
        }
        self._headlight = model.vis.headlight.diffuse.copy(), model.vis.headlight.ambient.copy()
        self._boxes = [item.name for item in world.scene_objects if item.kind == "box"]

    def draw(self, random: np.random.Generator) -> None:
        """Everything anew, about the shipped values; boxes about where they stand now."""
        self.undo()
        model, shipped = self._model, self._shipped
        model.cam_pos[:] += random.uniform(-CAMERA_SHIFT_M, CAMERA_SHIFT_M, model.cam_pos.shape)
        for camera in range(model.ncam):
            turn, turned = np.zeros(4), np.zeros(4)
            axis = random.normal(size=3)
            mujoco.mju_axisAngle2Quat(turn, axis / np.linalg.norm(axis), random.uniform(0, CAMERA_TURN_RAD))
            mujoco.mju_mulQuat(turned, shipped["cam_quat"][camera], turn)
            model.cam_quat[camera] = turned
        model.light_diffuse[:] *= random.uniform(1 - LIGHT_SHARE, 1 + LIGHT_SHARE, (model.nlight, 1))
        model.light_dir[:] += random.uniform(-LIGHT_TURN, LIGHT_TURN, model.light_dir.shape)
        brightness = random.uniform(1 - LIGHT_SHARE / 2, 1 + LIGHT_SHARE / 2)
        model.vis.headlight.diffuse[:] = self._headlight[0] * brightness
        model.vis.headlight.ambient[:] = self._headlight[1] * brightness
        for colours, many in (("geom_rgba", model.ngeom), ("mat_rgba", model.nmat)):
            shades = np.clip(shipped[colours][:, :3] + random.uniform(-SHADE, SHADE, (many, 3)), 0.0, 1.0)
            # a geom's own colour takes the place of its material's
            own = model.geom_matid < 0 if colours == "geom_rgba" else np.ones(many, dtype=bool)
            getattr(model, colours)[own, :3] = shades[own]
        self._keep_objects_whole()
        for name in self._boxes:
            model.body(name).pos[:2] += random.uniform(-1, 1, 2) * BOX_SHIFT_M
        mujoco.mj_forward(model, self._world.data)

    def undo(self) -> None:
        """The shipped light, shades and cameras. Boxes stay: the world's reset places them."""
        for name, values in self._shipped.items():
            getattr(self._model, name)[:] = values
        self._model.vis.headlight.diffuse[:], self._model.vis.headlight.ambient[:] = self._headlight

    def _keep_objects_whole(self) -> None:
        """All parts of an object have the shade of its first."""
        for item in self._world.scene_objects:
            first, count = (int(self._model.body(item.name).geomadr[0]), int(self._model.body(item.name).geomnum[0]))
            self._model.geom_rgba[first : first + count] = self._model.geom_rgba[first]
