"""The arm stands where the official URDF, the simulator and its cameras say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CONFIG = Path(__file__).parents[3] / "config"
LinkPoses = Callable[[ET.Element, dict[str, float]], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def official(variant: str) -> dict[str, Any]:
    return json.loads((Path(__file__).parent / f"official_poses_{variant}.json").read_text())


def test_links_stand_where_the_official_urdf_puts_them(
    robot: ET.Element, link_poses: LinkPoses, official: dict[str, Any]
) -> None:
    for pose in official["poses"]:
        found = link_poses(robot, dict(zip(official["joints"], pose["positions_rad"], strict=True)))
        for link, expected in pose["links"].items():
            in_base = np.linalg.inv(found["base"]) @ found[link]
            assert np.abs(in_base[:3, 3] - expected["position_m"]).max() < 1e-5, (link, pose["positions_rad"])
            assert np.abs(in_base[:3, :3] - expected["rotation"]).max() < 1e-4, (link, pose["positions_rad"])


def test_the_arm_reaches_along_the_worlds_x(robot: ET.Element, link_poses: LinkPoses, variant: str) -> None:
    level = {"shoulder_lift": 1.75, "elbow_flex": -1.5708, "wrist_flex": -0.65} if variant == "so100" else {}
    tip = link_poses(robot, level)["gripper_frame"]
    assert tip[0, 3] > 0.3
    assert abs(tip[1, 3]) < 0.01
    assert tip[:3, 2] @ np.array([1, 0, 0]) > 0.9  # z runs along the fingers


def test_links_fingers_and_cameras_stand_where_the_simulators_do(
    robot: ET.Element, link_poses: LinkPoses, official: dict[str, Any], variant: str
) -> None:
    pytest.importorskip("mujoco")
    simulation = pytest.importorskip("smolvla_ros.simulation.world", reason="smolvla_ros is not built")
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.simulation.arm_model import ModelMissing

    try:
        world = simulation.World(load_embodiment(CONFIG / f"{variant}.yaml"))
    except ModelMissing as missing:
        pytest.skip(str(missing))
    for pose in official["poses"]:
        positions = np.array(pose["positions_rad"])
        world.place(positions, {})
        found = link_poses(robot, dict(zip(official["joints"], positions.tolist(), strict=True)))
        for link, body in world.arm.links.items():
            assert np.abs(found[link][:3, 3] - world.data.body(body).xpos).max() < 1e-4, link
            assert np.abs(found[link][:3, :3] - world.data.body(body).xmat.reshape(3, 3)).max() < 1e-4, link
        tips = found["gripper_frame"]
        assert np.abs(tips[:3, 3] - world.arm.kinematics.pinch_point(positions)).max() < 1e-4
        for camera in world.embodiment.cameras:
            optical, simulated = found[camera.frame_id], world.data.camera(camera.name)
            assert np.abs(optical[:3, 3] - simulated.xpos).max() < 1e-4
            # MuJoCo's cameras look along their -z with y up
            assert np.abs(optical[:3, :3] - simulated.xmat.reshape(3, 3) * [1, -1, -1]).max() < 1e-4


@pytest.mark.parametrize("camera", ["top", "wrist"])
def test_camera_mounts_look_ahead_along_x(robot: ET.Element, link_poses: LinkPoses, camera: str) -> None:
    poses = link_poses(robot, {})
    mount, optical = poses[f"{camera}_camera_link"], poses[f"{camera}_camera_optical_frame"]
    assert np.allclose(mount[:3, 3], optical[:3, 3])
    assert np.allclose(mount[:3, 0], optical[:3, 2])  # ahead
    assert np.allclose(mount[:3, 2], -optical[:3, 1])  # up
