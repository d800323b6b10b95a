"""Meshes and boxes cover what the published MuJoCo models cover, whatever the arm's pose."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")
arm_model = pytest.importorskip("smolvla_ros.simulation.arm_model", reason="smolvla_ros is not built")
from smolvla_ros.embodiment import Embodiment, load_embodiment  # noqa: E402
from smolvla_ros.simulation.arm import Arm, arm_of  # noqa: E402

CONFIG = Path(__file__).parents[3] / "config"
LinkPoses = Callable[[ET.Element, dict[str, float]], dict[str, np.ndarray]]
Parts = Callable[[ET.Element, str], list[tuple[str, np.ndarray]]]
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


@pytest.fixture(scope="module")
def robot_file(variant: str) -> Embodiment:
    return load_embodiment(CONFIG / f"{variant}.yaml")


@pytest.fixture(scope="module")
def arm(robot_file: Embodiment) -> Arm:
    return arm_of(robot_file)


@pytest.fixture(scope="module")
def assets(arm: Arm) -> Path:
    try:
        return arm_model.mesh_folder(arm.model)
    except arm_model.ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def simulated(assets: Path, robot_file: Embodiment) -> mujoco.MjModel:
    """The arm alone, as the simulator has it."""
    elements, body, _ = arm_model.arm_elements(robot_file)
    root = ET.Element("mujoco")
    ET.SubElement(root, "compiler", angle="radian", meshdir=str(assets))
    ET.SubElement(root, "asset").extend(elements)
    ET.SubElement(root, "worldbody").append(body)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))


def stl_points(file: Path) -> np.ndarray:
    """(n, 3) corners of a binary STL's triangles, m."""
    return np.frombuffer(file.read_bytes()[84:], dtype=TRIANGLE)["corners"].reshape(-1, 3)


def simulated_points(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> np.ndarray:
    mesh = model.geom_dataid[geom]
    start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    return model.mesh_vert[start : start + count] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


def moved(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ pose[:3, :3].T + pose[:3, 3]


@pytest.mark.parametrize("seed", range(4))
def test_every_mesh_is_where_the_simulator_draws_it(
    robot: ET.Element,
    link_poses: LinkPoses,
    assets: Path,
    simulated: mujoco.MjModel,
    robot_file: Embodiment,
    arm: Arm,
    parts: Parts,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    positions = random.uniform(robot_file.lower_rad, robot_file.upper_rad)
    angles = dict(zip(robot_file.joint_names, positions.tolist(), strict=True))
    data = mujoco.MjData(simulated)
    for name, angle in angles.items():
        data.joint(arm.joints[name].mjcf_name).qpos = arm.mjcf_from_wire(name, angle)
    mujoco.mj_kinematics(simulated, data)
    poses = link_poses(robot, angles)
    directions = random.normal(size=(3, 50))
    directions /= np.linalg.norm(directions, axis=0)
    # what the simulator draws coarser is off by half the diagonal of a cell at most
    tolerance_m = max(1e-4, 0.9 * arm.model.fine_cell_m)
    compared = set()
    for link, body in arm.links.items():
        first, count = simulated.body(body).geomadr[0], simulated.body(body).geomnum[0]
        drawn = {
            simulated.mesh(simulated.geom_dataid[geom]).name.removesuffix("_fine"): geom
            for geom in range(first, first + count)
            if simulated.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH
        }
        for mesh, place in parts(robot, link):
            points = moved(poses[link] @ place, stl_points(assets / f"{mesh}.stl"))
            expected = simulated_points(simulated, data, drawn[mesh])
            apart = (points @ directions).max(axis=0) - (expected @ directions).max(axis=0)
            assert np.abs(apart).max() < tolerance_m, f"{mesh} of {link}"
            compared.add(mesh)
    assert compared == {file.stem for file in assets.glob("*.stl")} - {"tabletop"}


def test_masses_and_inertias_are_the_simulators(robot: ET.Element, simulated: mujoco.MjModel, arm: Arm) -> None:
    for link, body in arm.links.items():
        if link == "base" and arm.robot_type == "so100":
            continue  # the published model does not weigh it
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


def test_boxes_bound_the_meshes(
    describe: Callable[..., ET.Element], robot: ET.Element, assets: Path, arm: Arm, parts: Parts
) -> None:
    boxes = describe(meshes="false")
    for link in arm.links:
        collision = boxes.find(f"link[@name='{link}']/collision")
        centre = np.array([float(word) for word in collision.find("origin").get("xyz").split()])
        half = np.array([float(word) for word in collision.find("geometry/box").get("size").split()]) / 2
        shown = parts(robot, link)
        points = np.concatenate([moved(place, stl_points(assets / f"{mesh}.stl")) for mesh, place in shown])
        assert np.allclose(points.min(axis=0), centre - half, atol=3e-4), link
        assert np.allclose(points.max(axis=0), centre + half, atol=3e-4), link
