"""The arm stands where the official URDF, the simulator and its cameras say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

OFFICIAL = json.loads((Path(__file__).parent / "official_poses.json").read_text())
LinkPoses = Callable[[ET.Element, dict[str, float]], dict[str, np.ndarray]]


@pytest.mark.parametrize("pose", OFFICIAL["poses"], ids=lambda pose: str(pose["positions_rad"]))
def test_links_stand_where_the_official_urdf_puts_them(robot: ET.Element, link_poses: LinkPoses, pose: dict) -> None:
    found = link_poses(robot, dict(zip(OFFICIAL["joints"], pose["positions_rad"], strict=True)))
    for link, expected in pose["links"].items():
        in_base = np.linalg.inv(found["base"]) @ found[link]
        assert np.abs(in_base[:3, 3] - expected["position_m"]).max() < 1e-5, link
        assert np.abs(in_base[:3, :3] - expected["rotation"]).max() < 1e-4, link


def test_the_arm_reaches_along_the_worlds_x(robot: ET.Element, link_poses: LinkPoses) -> None:
    tip = link_poses(robot, {"shoulder_lift": 1.75, "elbow_flex": -1.5708, "wrist_flex": -0.65})["gripper_frame"]
    assert tip[0, 3] > 0.3
    assert abs(tip[1, 3]) < 0.01
    assert tip[:3, 2] @ np.array([1, 0, 0]) > 0.9  # z runs along the fingers


def test_tool_frame_is_the_simulators_pinch_point(robot: ET.Element, link_poses: LinkPoses) -> None:
    kinematics = pytest.importorskip("smolvla_ros.simulation.kinematics", reason="smolvla_ros is not built")
    for pose in OFFICIAL["poses"]:
        positions = pose["positions_rad"]
        found = link_poses(robot, dict(zip(OFFICIAL["joints"], positions, strict=True)))["gripper_frame"]
        assert np.abs(found[:3, 3] - kinematics.pinch_point(np.array(positions))).max() < 1e-4


@pytest.mark.parametrize("camera", ["top", "wrist"])
def test_camera_frames_look_where_the_simulators_cameras_do(
    robot: ET.Element, link_poses: LinkPoses, camera: str
) -> None:
    scene = pytest.importorskip("smolvla_ros.simulation.scene", reason="smolvla_ros or mujoco is not installed")
    expected = scene.CAMERAS[camera]
    poses = link_poses(robot, {})
    parent = poses["gripper"] if expected.body else poses["world"]
    found = np.linalg.inv(parent) @ poses[f"{camera}_camera_optical_frame"]
    forward = np.array(expected.target) - np.array(expected.position)
    assert np.allclose(found[:3, 3], expected.position, atol=1e-6)
    assert np.allclose(found[:3, 2], forward / np.linalg.norm(forward), atol=1e-6)  # optical z looks ahead
    right = np.cross(forward, expected.up)
    assert np.allclose(found[:3, 0], right / np.linalg.norm(right), atol=1e-6)  # optical x is the image's right


@pytest.mark.parametrize("camera", ["top", "wrist"])
def test_camera_mounts_look_ahead_along_x(robot: ET.Element, link_poses: LinkPoses, camera: str) -> None:
    poses = link_poses(robot, {})
    mount, optical = poses[f"{camera}_camera_link"], poses[f"{camera}_camera_optical_frame"]
    assert np.allclose(mount[:3, 3], optical[:3, 3])
    assert np.allclose(mount[:3, 0], optical[:3, 2])  # ahead
    assert np.allclose(mount[:3, 2], -optical[:3, 1])  # up
