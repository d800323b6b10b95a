"""Camera images of a world. Each renderer has MuJoCo data of its own, so that it may draw while the physics goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import mujoco
import numpy as np

from smolvla_ros.simulation.arm_model import COARSE_GROUP, FINE_GROUP
from smolvla_ros.simulation.world import World

PACKAGES = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"


_OPENGL = threading.Lock()
"""Held while OpenGL is at work: where threads draw at once, each in a context of its own, Mesa's software renderer
(seen in 22.3.6) ends the process now and then."""


class NoRenderer(RuntimeError):
    """Images cannot be drawn on this host."""


def intrinsics(fovy_deg: float, width: int, height: int) -> np.ndarray:
    """(3, 3) camera matrix of a pinhole camera with square pixels."""
    focal = 0.5 * height / np.tan(np.radians(fovy_deg) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


class Renderer:
    """Draws one size of image. `fine` is for videos: shadows, four samples a pixel, every face; sensors do without.

    Use it in the thread that made it: an OpenGL context belongs to one thread. Those of several threads draw in turn.
    """

    def __init__(self, world: World, width: int, height: int, fine: bool = False) -> None:
        if os.environ["MUJOCO_GL"] == "disable":
            raise NoRenderer(f"the simulator's cameras need EGL, which is not installed: {PACKAGES}")
        self.model, self._data = world.model, mujoco.MjData(world.model)
        quality = self.model.vis.quality
        with _OPENGL:
            samples, shadows = quality.offsamples, quality.shadowsize
            if not fine:
                quality.offsamples, quality.shadowsize = 0, 0
            try:
                self._renderer = mujoco.Renderer(self.model, height, width)
            except Exception as error:  # MuJoCo raises whatever its OpenGL loader raises
                raise NoRenderer(
                    f"the simulator's cameras cannot draw with MUJOCO_GL={os.environ['MUJOCO_GL']}: {error}"
                    f" Without a GPU they need Mesa: {PACKAGES}"
                ) from error
            finally:
                quality.offsamples, quality.shadowsize = samples, shadows
        self._fine = fine
        self._seen = mujoco.MjvOption()
        self._seen.geomgroup[FINE_GROUP], self._seen.geomgroup[COARSE_GROUP] = fine, not fine
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = fine
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False

    def take_state(self, qpos: np.ndarray) -> None:
        """The state to draw next: MuJoCo's qpos, copied."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self._data)
        mujoco.mj_camlight(self.model, self._data)

    def draw(self, camera: str) -> np.ndarray:
        """(height, width, 3) uint8 RGB, a fresh array."""
        self._renderer.update_scene(self._data, camera, self._seen)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._fine
        with _OPENGL:
            return self._renderer.render()

    def body_positions(self, names: Sequence[str]) -> np.ndarray:
        """Where bodies are in the state to draw: (n, 3) in m, world frame."""
        return np.array([self._data.body(name).xpos for name in names])

    def pixels(self, camera: str, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3) in m, world frame, appear: (n, 2) column and row in pixels; NaN behind the camera."""
        view = self._data.camera(camera)
        seen = (np.asarray(points) - view.xpos) @ view.xmat.reshape(3, 3)
        ahead = np.where(seen[:, 2] < 0, -seen[:, 2], np.nan)[:, None]
        rays = np.concatenate([seen[:, :1] / ahead, -seen[:, 1:2] / ahead, np.ones_like(ahead)], axis=1)
        fovy_deg = float(self.model.camera(camera).fovy[0])
        return (rays @ intrinsics(fovy_deg, self._renderer.width, self._renderer.height).T)[:, :2]

    def close(self) -> None:
        with _OPENGL:
            self._renderer.close()
