"""Moments of demonstrations drawn as the policy will see them, as the arrays of data/demonstration_arrays.py.

Pictures are drawn at the size to which the policy's letterbox scales a live image. That scaling has no antialiasing: it
takes the colour at a pixel's middle, as the renderer does, so a small picture drawn directly equals a large one scaled
but for the edges of objects.
"""

from __future__ import annotations

import numpy as np

from smolvla_ros.data.demonstration_arrays import Description
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.simulation.demonstrations import Demonstrator, Moment
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.scene import PICK_AND_PLACE
from smolvla_ros.units import LeRobotUnits


def picture_size(embodiment: Embodiment, side: int) -> tuple[int, int]:
    """Width and height of the cameras' pictures letterboxed to a square. Raises ValueError where cameras differ."""
    sizes = {(camera.width, camera.height) for camera in embodiment.cameras}
    if len(sizes) != 1:
        raise ValueError(f"cameras: expected one size for all, found {sorted(sizes)}; draw them one by one")
    width, height = sizes.pop()
    ratio = max(width, height) / side
    return int(width / ratio), int(height / ratio)


def description_of(embodiment: Embodiment) -> Description:
    """What the arrays' columns are."""
    return Description(
        cameras=tuple(camera.name for camera in embodiment.cameras),
        objects=tuple(item.name for item in PICK_AND_PLACE),
        fps=embodiment.rates.policy_hz,
        joints=embodiment.joint_names,
        units=tuple(joint.lerobot_unit for joint in embodiment.joints),
    )


class FrameArtist:
    """Draws a demonstrator's moments in all cameras of the embodiment. Use it in one thread, and close it."""

    def __init__(self, demonstrator: Demonstrator, embodiment: Embodiment, side: int) -> None:
        self._world, self._past = demonstrator.world, demonstrator.past
        self._renderer = Renderer(self._world, *picture_size(embodiment, side))
        self._size = np.array(picture_size(embodiment, side), dtype=float)
        self._cameras = [camera.name for camera in embodiment.cameras]
        self._objects = [item.name for item in self._world.scene_objects]
        self._units = LeRobotUnits(embodiment)
        self.description = description_of(embodiment)

    def arrays(self, moments: list[Moment], seed: int) -> dict[str, np.ndarray]:
        """The moments of one episode, drawn while the world still has its light, boxes and cameras."""
        images, pixels, positions = [], [], []
        for moment in moments:
            self._renderer.take_state(moment.qpos)
            images.append(np.stack([self._renderer.draw(camera) for camera in self._cameras]))
            points = self._renderer.body_positions(self._objects)
            positions.append(points)
            pixels.append([self._renderer.pixels(camera, points) / self._size for camera in self._cameras])
        both = [(moment.asked, moment.otherwise) for moment in moments]
        chunks = np.array([(moment.chunk, moment.other_chunk) for moment in moments])
        index = {name: number for number, name in enumerate(self._objects)}
        return {
            "images": np.stack(images),
            "state": self._units.from_radians(np.array([m.positions for m in moments])).astype(np.float32),
            "actions": self._units.from_radians(chunks).astype(np.float32),
            "tasks": np.array([[(index[t.cube], index[t.box]) for t in pair] for pair in both], dtype=np.int8),
            "positions": np.array(positions, dtype=np.float32),
            "pixels": np.array(pixels, dtype=np.float32),
            "episode": np.full(len(moments), seed, dtype=np.int32),
            "frame": np.array([round(m.time_s * self.description.fps) for m in moments], dtype=np.int32),
        }

    def look(self, frames_ago: int) -> dict[str, np.ndarray]:
        """What each camera showed in a frame of the running episode, by its name."""
        self._renderer.take_state(self._past[-1 - frames_ago])
        return {camera: self._renderer.draw(camera) for camera in self._cameras}

    def picture(self, moment: Moment, camera: str) -> np.ndarray:
        """(height, width, 3) uint8 RGB, while the world still has the moment's light, boxes and cameras."""
        self._renderer.take_state(moment.qpos)
        return self._renderer.draw(camera)

    def close(self) -> None:
        self._renderer.close()
