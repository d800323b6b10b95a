"""The scene: one SO-100 at the origin of a table, reaching along +x, cubes to pick and boxes to put them in.

World frame: origin below the arm's base, +x forward, +z up, table at z = 0, metres. Object poses are given in it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smolvla_ros.embodiment import Camera, CameraMount, Embodiment, EmbodimentError
from smolvla_ros.simulation.arm import Arm, arm_of
from smolvla_ros.simulation.arm_model import (
    ARM_COLLIDES,
    COARSE_GROUP,
    FINE_GROUP,
    SCENE_COLLIDES,
    arm_elements,
    mesh_folder,
)
from smolvla_ros.simulation.tasks import TASK_NAMES

TIMESTEP_S = 1 / 480
FRICTION = "1 0.005 0.0001"  # sliding, torsional, rolling
COLOURS = {
    "red": "0.82 0.10 0.10 1",
    "blue": "0.10 0.25 0.85 1",
    "green": "0.10 0.60 0.20 1",
    "yellow": "0.92 0.78 0.10 1",
}
TABLE_COLOUR = "0.62 0.55 0.47"
CUBE_EDGE_M = 0.025
CUBE_MASS_KG = 0.020
BOX_INNER_M, BOX_WALL_M, BOX_HEIGHT_M = 0.080, 0.004, 0.026
BOX_PLACES = ((0.16, 0.155), (0.16, -0.155))
# where cubes may lie: the arm reaches all of it from above
CUBE_X, CUBE_Y, CUBE_RADIUS, CUBE_YAW_RAD, CUBE_APART_M = (0.15, 0.25), (-0.08, 0.08), (0.15, 0.255), np.pi / 4, 0.06


@dataclass(frozen=True)
class View:
    """A camera that is no sensor: at `position` looking at `target`, metres. fovy_deg is the vertical field."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fovy_deg: float


VIEWS = {
    "side": View((0.20, -0.55, 0.25), (0.15, 0.0, 0.05), 45.0),
    "viewer": View((0.62, -0.42, 0.40), (0.13, 0.0, 0.07), 38.0),
}


@dataclass(frozen=True)
class SceneObject:
    """A cube lies where it fell, a box stays. `name` is what instructions call it."""

    name: str
    kind: str
    colour: str


PICK_AND_PLACE = (
    SceneObject("red cube", "cube", "red"),
    SceneObject("blue cube", "cube", "blue"),
    SceneObject("red box", "box", "red"),
    SceneObject("blue box", "box", "blue"),
)
TASKS = dict.fromkeys(TASK_NAMES, PICK_AND_PLACE)


def mount_of(embodiment: Embodiment, camera: Camera) -> CameraMount:
    """Where the simulator puts a camera. Raises EmbodimentError."""
    if camera.mount is None:
        raise EmbodimentError(
            f"{embodiment.path}: cameras[{camera.name}].mount: missing; the simulator needs a camera's place"
        )
    return camera.mount


def scene_xml(embodiment: Embodiment, objects: Sequence[SceneObject]) -> str:
    """MJCF of the arm, the table, the objects and the cameras. Raises ModelMissing, EmbodimentError."""
    figures = arm_of(embodiment)
    assets, arm, actuators = arm_elements(embodiment)
    root = ET.Element("mujoco", model=embodiment.robot_type)
    ET.SubElement(root, "compiler", angle="radian", meshdir=str(mesh_folder(figures.model)))
    ET.SubElement(root, "option", timestep=str(TIMESTEP_S), integrator="implicitfast", cone="elliptic", impratio="10")
    visual = ET.SubElement(root, "visual")
    ET.SubElement(visual, "headlight", ambient="0.35 0.35 0.35", diffuse="0.25 0.25 0.25", specular="0 0 0")
    ET.SubElement(visual, "map", znear="0.01", zfar="20")
    ET.SubElement(visual, "global", offwidth="1920", offheight="1440")
    ET.SubElement(visual, "quality", shadowsize="2048", offsamples="4")
    asset = ET.SubElement(root, "asset")
    ET.SubElement(
        asset,
        "texture",
        type="skybox",
        builtin="gradient",
        rgb1="0.80 0.86 0.92",
        rgb2="0.55 0.62 0.70",
        width="64",
        height="384",
    )
    ET.SubElement(
        asset,
        "texture",
        name="table",
        type="2d",
        builtin="flat",
        mark="random",
        random="0.02",
        rgb1=TABLE_COLOUR,
        markrgb="0.56 0.49 0.41",
        width="512",
        height="512",
    )
    ET.SubElement(asset, "material", name="table", texture="table", texrepeat="4 4", specular="0.05", shininess="0.05")
    ET.SubElement(asset, "material", name="plain_table", rgba=f"{TABLE_COLOUR} 1", specular="0.05", shininess="0.05")
    asset.extend(assets)
    world = ET.SubElement(root, "worldbody")
    ET.SubElement(
        world,
        "light",
        pos="0.4 -0.5 1.2",
        dir="-0.2 0.45 -1",
        diffuse="0.55 0.55 0.55",
        specular="0.1 0.1 0.1",
        castshadow="true",
    )
    ET.SubElement(
        world,
        "light",
        pos="0.3 0.7 1.0",
        dir="-0.1 -0.6 -1",
        diffuse="0.25 0.25 0.25",
        specular="0 0 0",
        castshadow="false",
    )
    table = {"type": "box", "size": "0.45 0.5 0.02", "pos": "0.2 0 -0.02"}
    ET.SubElement(
        world,
        "geom",
        table,
        name="table",
        material="plain_table",
        group=str(COARSE_GROUP),
        contype=str(SCENE_COLLIDES),
        conaffinity=str(SCENE_COLLIDES | ARM_COLLIDES),
        friction=FRICTION,
    )
    # a textured surface takes a third of an image's time: the video's only
    ET.SubElement(
        world, "geom", table, name="table_top", material="table", group=str(FINE_GROUP), contype="0", conaffinity="0"
    )
    world.append(arm)
    bodies = {body.get("name"): body for body in arm.iter("body")}
    for camera in embodiment.cameras:
        mount = mount_of(embodiment, camera)
        parent = world if mount.parent == "world" else bodies[_body_of(embodiment, figures, mount)]
        axes = mount_axes(mount.rpy_rad)
        _add_camera(parent, camera.name, mount.fovy_deg, mount.xyz_m, -axes[:, 1], axes[:, 2])
    for name, view in VIEWS.items():
        backward = np.array(view.position) - np.array(view.target)
        right = np.cross((0, 0, 1), backward)
        _add_camera(world, name, view.fovy_deg, view.position, right, np.cross(backward, right))
    for item in objects:
        _add_object(world, item)
    root.append(actuators)
    return ET.tostring(root, encoding="unicode")


def marker_colour(item: SceneObject) -> tuple[float, float, float, float]:
    """Red, green, blue, alpha of an object's marker; boxes let their content be seen."""
    red, green, blue, _ = (float(word) for word in COLOURS[item.colour].split())
    return red, green, blue, 1.0 if item.kind == "cube" else 0.4


def marker_size(item: SceneObject) -> tuple[float, float, float]:
    """Edges of an object's marker, m."""
    outer = BOX_INNER_M + 2 * BOX_WALL_M
    return (CUBE_EDGE_M,) * 3 if item.kind == "cube" else (outer, outer, BOX_HEIGHT_M)


def marker_lift(item: SceneObject) -> float:
    """How far the middle of an object's marker is above the object's pose, m: a box's pose is that of its floor."""
    return 0.0 if item.kind == "cube" else BOX_HEIGHT_M / 2


def place_cubes(random: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3): x, y, yaw of cubes at random in the region, apart from each other."""
    while True:
        x, y = random.uniform(*CUBE_X, count), random.uniform(*CUBE_Y, count)
        radius = np.hypot(x, y)
        apart = [np.hypot(x[i] - x[j], y[i] - y[j]) for i in range(count) for j in range(i)]
        if np.all((radius > CUBE_RADIUS[0]) & (radius < CUBE_RADIUS[1])) and all(d >= CUBE_APART_M for d in apart):
            return np.stack([x, y, random.uniform(-CUBE_YAW_RAD, CUBE_YAW_RAD, count)], axis=1)


def _add_object(world: ET.Element, item: SceneObject) -> None:
    collides = {
        "contype": str(SCENE_COLLIDES),
        "conaffinity": str(SCENE_COLLIDES | ARM_COLLIDES),
        "rgba": COLOURS[item.colour],
    }
    body = ET.SubElement(world, "body", name=item.name, pos="0 0 0")
    if item.kind == "cube":
        half = CUBE_EDGE_M / 2
        ET.SubElement(body, "freejoint", name=item.name)
        ET.SubElement(
            body,
            "geom",
            collides,
            name=item.name,
            type="box",
            size=_numbers([half] * 3),
            mass=str(CUBE_MASS_KG),
            friction=FRICTION,
        )
        return
    half, wall = BOX_INNER_M / 2, BOX_WALL_M / 2
    ET.SubElement(body, "geom", collides, type="box", size=_numbers([half, half, 0.001]), pos="0 0 0.001")
    for axis in (0, 1):
        for side in (-1, 1):
            size, place = [half + 2 * wall, half + 2 * wall, BOX_HEIGHT_M / 2], [0.0, 0.0, BOX_HEIGHT_M / 2]
            size[axis], place[axis] = wall, side * (half + wall)
            if axis:
                size[0] = half
            ET.SubElement(body, "geom", collides, type="box", size=_numbers(size), pos=_numbers(place))


def mount_axes(rpy_rad: Sequence[float]) -> np.ndarray:
    """(3, 3) a mount's x (ahead), y (left) and z (up) as columns, in its parent's frame."""
    cosine, sine = np.cos(rpy_rad), np.sin(rpy_rad)
    (cr, cp, cy), (sr, sp, sy) = cosine, sine
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _body_of(embodiment: Embodiment, arm: Arm, mount: CameraMount) -> str:
    if mount.parent not in arm.links:
        raise EmbodimentError(
            f"{embodiment.path}: cameras: mount.parent: expected world, {', '.join(arm.links)}; found '{mount.parent}'"
        )
    return arm.links[mount.parent]


def _add_camera(
    parent: ET.Element, name: str, fovy_deg: float, place: Sequence[float], right: np.ndarray, up: np.ndarray
) -> None:
    xyaxes = np.concatenate([right / np.linalg.norm(right), up / np.linalg.norm(up)])
    ET.SubElement(parent, "camera", name=name, fovy=str(fovy_deg), pos=_numbers(place), xyaxes=_numbers(xyaxes))


def _numbers(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in values)
