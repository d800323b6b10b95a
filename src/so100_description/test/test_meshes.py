"""Meshes and boxes cover what the published MuJoCo model covers, whatever the arm's pose."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")
arm_model = pytest.importorskip("smolvla_ros.simulation.arm_model", reason="smolvla_ros is not built")
from smolvla_ros.embodiment import load_embodiment  # noqa: E402
from smolvla_ros.simulation.joint_map import JOINT_MAP, mjcf_from_wire  # noqa: E402

LinkPoses = Callable[[ET.Element, dict[str, float]], dict[str, np.ndarray]]
BODIES = {
    "base": "base",
    "shoulder": "Rotation_Pitch",
    "upper_arm": "Upper_Arm",
    "lower_arm": "Lower_Arm",
    "wrist": "Wrist_Pitch_Roll",
    "gripper": "Fixed_Jaw",
    "jaw": "Moving_Jaw",
}
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


@pytest.fixture(scope="module")
def assets() -> Path:
    try:
        return arm_model.asset_folder()
    except arm_model.ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def simulated(assets: Path) -> mujoco.MjModel:
    """The arm alone, as the simulator has it."""
    elements, arm, _ = arm_model.arm_elements(load_embodiment())
    root = ET.Element("mujoco")
    ET.SubElement(root, "compiler", angle="radian", meshdir=str(assets))
    ET.SubElement(root, "asset").extend(elements)
    ET.SubElement(root, "worldbody").append(arm)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))


def stl_points(file: Path) -> np.ndarray:
    """(n, 3) corners of a binary STL's triangles, m."""
    return np.frombuffer(file.read_bytes()[84:], dtype=TRIANGLE)["corners"].reshape(-1, 3)


def simulated_points(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> np.ndarray:
    mesh = model.geom_dataid[geom]
    start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    return model.mesh_vert[start : start + count] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


@pytest.mark.parametrize("seed", range(4))
def test_every_mesh_is_where_the_simulator_draws_it(
    robot: ET.Element, link_poses: LinkPoses, assets: Path, simulated: mujoco.MjModel, seed: int
) -> None:
    random = np.random.default_rng(seed)
    arm = load_embodiment()
    angles = dict(zip(arm.joint_names, random.uniform(arm.lower_rad, arm.upper_rad).tolist(), strict=True))
    data = mujoco.MjData(simulated)
    for name, angle in angles.items():
        data.joint(JOINT_MAP[name].mjcf_name).qpos = mjcf_from_wire(name, angle)
    mujoco.mj_kinematics(simulated, data)
    poses = link_poses(robot, angles)
    directions = random.normal(size=(3, 50))
    directions /= np.linalg.norm(directions, axis=0)
    compared = 0
    for link, body in BODIES.items():
        meshes = {
            Path(mesh.get("filename")).stem
            for kind in ("visual", "collision")
            for mesh in robot.findall(f"link[@name='{link}']/{kind}/geometry/mesh")
        }
        first, count = simulated.body(body).geomadr[0], simulated.body(body).geomnum[0]
        drawn = {
            simulated.mesh(simulated.geom_dataid[geom]).name: geom
            for geom in range(first, first + count)
            if simulated.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH
        }
        assert meshes <= set(drawn), link  # the simulator may draw coarser copies besides
        for mesh in meshes:
            points = stl_points(assets / f"{mesh}.stl") @ poses[link][:3, :3].T + poses[link][:3, 3]
            expected = simulated_points(simulated, data, drawn[mesh])
            apart = (points @ directions).max(axis=0) - (expected @ directions).max(axis=0)
            assert np.abs(apart).max() < 1e-4, f"{mesh} of {link}"
            compared += 1
    assert compared == len(list(assets.glob("*.stl"))) - 1  # all but the table's


def test_masses_and_inertias_are_the_simulators(robot: ET.Element, simulated: mujoco.MjModel) -> None:
    for link, body in list(BODIES.items())[1:]:
        inertial, expected = robot.find(f"link[@name='{link}']/inertial"), simulated.body(body)
        assert float(inertial.find("mass").get("value")) == pytest.approx(expected.mass[0])
        centre = [float(word) for word in inertial.find("origin").get("xyz").split()]
        assert np.allclose(centre, expected.ipos, atol=1e-9)
        axes = np.zeros(9)
        mujoco.mju_quat2Mat(axes, expected.iquat)
        tensor = axes.reshape(3, 3) @ np.diag(expected.inertia) @ axes.reshape(3, 3).T
        inertia = inertial.find("inertia")
        found = [[float(inertia.get("i" + "".join(sorted(a + b)))) for b in "xyz"] for a in "xyz"]
        assert np.allclose(found, tensor, rtol=1e-4, atol=1e-10), link


def test_boxes_bound_the_meshes(describe: Callable[..., ET.Element], robot: ET.Element, assets: Path) -> None:
    boxes = describe(meshes="false")
    for link in BODIES:
        collision = boxes.find(f"link[@name='{link}']/collision")
        centre = np.array([float(word) for word in collision.find("origin").get("xyz").split()])
        half = np.array([float(word) for word in collision.find("geometry/box").get("size").split()]) / 2
        names = [Path(m.get("filename")).name for m in robot.findall(f"link[@name='{link}']/visual/geometry/mesh")]
        points = np.concatenate([stl_points(assets / name) for name in names])
        assert np.allclose(points.min(axis=0), centre - half, atol=3e-4), link
        assert np.allclose(points.max(axis=0), centre + half, atol=3e-4), link
