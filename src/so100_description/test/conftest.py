from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

xacro = pytest.importorskip("xacro")

PACKAGE = Path(__file__).parent.parent
CONFIG = PACKAGE.parent.parent / "config"


@pytest.fixture(scope="session", params=["so100", "so101"])
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def embodiment(variant: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIG / f"{variant}.yaml").read_text())


@pytest.fixture(scope="session")
def describe(variant: str) -> Callable[..., ET.Element]:
    """Call it with xacro arguments, hardware_type="real" say, for the URDF. Raises what xacro raises."""

    def compile_xacro(**arguments: str) -> ET.Element:
        mappings = {"embodiment": str(CONFIG / f"{variant}.yaml"), **arguments}
        document = xacro.process_file(str(PACKAGE / "urdf" / "so100.urdf.xacro"), mappings=mappings)
        return ET.fromstring(document.toxml())

    return compile_xacro


@pytest.fixture(scope="session")
def robot(describe: Callable[..., ET.Element]) -> ET.Element:
    """The URDF that default arguments give."""
    return describe()


def numbers(text: str | None, default: str = "0 0 0") -> np.ndarray:
    return np.array([float(word) for word in (text or default).split()])


def turn(axis: np.ndarray, angle_rad: float) -> np.ndarray:
    """Rotation (3, 3) about a unit axis (3,)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross


def placement(origin: ET.Element | None) -> np.ndarray:
    """(4, 4) of a URDF <origin>."""
    pose = np.eye(4)
    if origin is not None:
        roll, pitch, yaw = numbers(origin.get("rpy"))
        x, y, z = np.eye(3)
        pose[:3, :3] = turn(z, yaw) @ turn(y, pitch) @ turn(x, roll)
        pose[:3, 3] = numbers(origin.get("xyz"))
    return pose


@pytest.fixture(scope="session")
def link_poses() -> Callable[[ET.Element, dict[str, float]], dict[str, np.ndarray]]:
    """Call it with a URDF and {joint: rad} for each link's pose (4, 4) in the root link, walked joint by joint."""

    def walk(urdf: ET.Element, angles: dict[str, float]) -> dict[str, np.ndarray]:
        joints = urdf.findall("joint")
        children = {joint.find("child").get("link") for joint in joints}
        (root,) = {link.get("name") for link in urdf.findall("link")} - children
        poses, waiting = {root: np.eye(4)}, list(joints)
        while waiting:
            joint = next(j for j in waiting if j.find("parent").get("link") in poses)
            waiting.remove(joint)
            pose = poses[joint.find("parent").get("link")] @ placement(joint.find("origin"))
            if joint.get("type") == "revolute":
                rotation = np.eye(4)
                rotation[:3, :3] = turn(numbers(joint.find("axis").get("xyz")), angles.get(joint.get("name"), 0.0))
                pose = pose @ rotation
            poses[joint.find("child").get("link")] = pose
        return poses

    return walk


@pytest.fixture(scope="session")
def parts() -> Callable[[ET.Element, str], list[tuple[str, np.ndarray]]]:
    """Call it with a URDF and a link for (name of its mesh, pose (4, 4) in the link) of all that it shows or hits."""

    def shapes(urdf: ET.Element, name: str) -> list[tuple[str, np.ndarray]]:
        link = urdf.find(f"link[@name='{name}']")
        found = [*link.findall("visual"), *link.findall("collision")]
        return [(Path(s.find("geometry/mesh").get("filename")).stem, placement(s.find("origin"))) for s in found]

    return shapes
