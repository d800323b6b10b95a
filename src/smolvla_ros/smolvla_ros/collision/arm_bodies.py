"""How deep an arm's links are in each other, in the table and in obstacles, for any joint positions: MuJoCo's collision
detection on the URDF's collision shapes, without physics and without drawing.

    bodies = ArmBodies(urdf, joint_names, Obstacles())
    bodies.depths(positions)            # {("gripper", "table"): 0.004}, m

Meshes are collided as their convex hulls, which enclose them. Links that a joint connects touch by design and are left
out, as in the SRDF's "Adjacent" pairs; all other pairs of links are looked at.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import numpy as np

from smolvla_ros.collision.obstacles import Obstacles
from smolvla_ros.execution.collisions import Pair

TABLE = "table"
HALF_PLANE_M = (1.0, 1.0, 0.1)  # as drawn; to collide with it is endless


class CollisionModelError(RuntimeError):
    """Collisions cannot be computed. The message says what is missing and what to do."""


class ArmBodies:
    """State: MuJoCo's scratch memory, so it is for one thread.

    urdf: text whose meshes are named by paths. joint_names: the order of positions. Raises CollisionModelError.
    """

    def __init__(self, urdf: str, joint_names: Sequence[str], obstacles: Obstacles) -> None:
        self._mujoco = _mujoco()
        self.apart = joined_links(urdf)
        try:
            spec = self._mujoco.MjSpec.from_string(_for_mujoco(urdf))
            _add_obstacles(self._mujoco, spec, obstacles)
            for first, second in self.apart:
                spec.add_exclude(bodyname1=first, bodyname2=second)
            self._model = spec.compile()
            joints = [self._model.joint(name) for name in joint_names]
        except (KeyError, ValueError) as error:
            raise CollisionModelError(
                f"collision_check: expected a URDF with joints {', '.join(joint_names)} and the meshes that it names: "
                f"{' '.join(str(error).split())}"
            ) from error
        self._data = self._mujoco.MjData(self._model)
        self._addresses = np.array([joint.qposadr[0] for joint in joints])
        geoms = [self._model.geom(i) for i in range(self._model.ngeom)]
        # obstacles are the world's: they are known by their own names
        self._names = [geom.name or self._model.body(geom.bodyid[0]).name for geom in geoms]

    def depths(self, positions: np.ndarray) -> dict[Pair, float]:
        """How deep what touches is in each other, m, for positions (joints,) rad."""
        self._data.qpos[self._addresses] = positions
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_collision(self._model, self._data)
        depths: dict[Pair, float] = {}
        if self._data.ncon:
            contacts = self._data.contact
            for (one, other), distance in zip(contacts.geom.tolist(), contacts.dist.tolist(), strict=True):
                first, second = sorted((self._names[one], self._names[other]))
                depths[first, second] = max(-distance, depths.get((first, second), 0.0))
        return depths


def joined_links(urdf: str) -> set[Pair]:
    """Pairs of links that a joint connects."""
    pairs = set()
    for joint in ET.fromstring(urdf).findall("joint"):
        ends = [joint.find(end) for end in ("parent", "child")]
        first, second = sorted(end.get("link", "") for end in ends if end is not None)
        pairs.add((first, second))
    return pairs


def _for_mujoco(urdf: str) -> str:
    """The URDF with collision shapes alone, every link a body of its own."""
    robot = ET.fromstring(urdf)
    for link in robot.findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    extension = ET.SubElement(robot, "mujoco")
    ET.SubElement(extension, "compiler", strippath="false", fusestatic="false")
    return ET.tostring(robot, encoding="unicode")


def _add_obstacles(mujoco: Any, spec: Any, obstacles: Obstacles) -> None:
    if obstacles.table:
        spec.worldbody.add_geom(name=TABLE, type=mujoco.mjtGeom.mjGEOM_PLANE, size=HALF_PLANE_M)
    for box in obstacles.boxes:
        half = 0.5 * box.yaw_rad
        spec.worldbody.add_geom(
            name=box.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=box.middle_m,
            size=[edge / 2 for edge in box.size_m],
            quat=[np.cos(half), 0.0, 0.0, np.sin(half)],
        )


def _mujoco() -> Any:
    """Raises CollisionModelError where it is not installed: an arm without a simulator runs without it."""
    try:
        import smolvla_ros.simulation  # noqa: F401 - without a display mujoco can be imported after this only

        import mujoco  # isort: skip
    except ImportError as error:
        raise CollisionModelError(
            f"collision_check needs MuJoCo, which is not there ({error}): pip install 'mujoco>=3.3,<4'"
        ) from error
    return mujoco
