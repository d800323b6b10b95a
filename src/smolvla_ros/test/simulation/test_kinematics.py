"""The closed form against the official URDFs' figures, and against itself turned round."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import DEFAULT_FILE, Embodiment, load_embodiment
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.kinematics import PITCH, Kinematics

ROBOTS = [load_embodiment(DEFAULT_FILE.with_name(f"{name}.yaml")) for name in ("so100", "so101")]
DATA = Path(__file__).parents[1] / "data"
# the URDF's base to the scene, and the jaw's joint in the gripper link
BASE = {"so100": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), "so101": np.eye(3)}
JAW_ORIGIN = {"so100": [-0.0202, -0.0244, 0.0], "so101": [0.0202, 0.0188, -0.0234]}


@pytest.fixture(params=ROBOTS, ids=lambda robot: robot.robot_type)
def robot(request: pytest.FixtureRequest) -> Embodiment:
    return request.param


@pytest.fixture
def arm(robot: Embodiment) -> Kinematics:
    return arm_of(robot).kinematics


def anywhere(robot: Embodiment, seed: int, count: int) -> np.ndarray:
    """(count, 6) rad inside the limits."""
    return np.random.default_rng(seed).uniform(robot.lower_rad, robot.upper_rad, (count, 6))


def test_forward_kinematics_has_the_official_figures(robot: Embodiment, arm: Kinematics) -> None:
    base = BASE[robot.robot_type]
    for pose in json.loads((DATA / f"official_{robot.robot_type}_fk.json").read_text())["poses"]:
        origin, rotation = arm.gripper_frame(np.array(pose["joints_rad"]))
        np.testing.assert_allclose(origin, base @ pose["origins_m"]["wrist_roll"], atol=1e-6)
        jaw = origin + rotation @ JAW_ORIGIN[robot.robot_type]
        np.testing.assert_allclose(jaw, base @ pose["origins_m"]["gripper"], atol=1e-6)


def test_the_plane_figures_and_the_chain_agree_over_the_whole_joint_range(robot: Embodiment, arm: Kinematics) -> None:
    along_fingers = np.abs(arm.pinch_in_gripper) > 0.05
    for positions in anywhere(robot, 7, 200):
        origin, rotation = arm.gripper_frame(positions)
        on_roll_axis = origin + rotation @ np.where(along_fingers, arm.pinch_in_gripper, 0.0)
        pan, reach, height = arm.arm_pose(positions)[:3]
        found = [arm.pan_axis_x + reach * np.cos(pan), reach * np.sin(pan), height]
        # the SO-101's hand stands 0.2 mm beside the plane
        np.testing.assert_allclose(on_roll_axis, found, atol=1e-5 if robot.robot_type == "so100" else 2.5e-4)


def test_a_pose_comes_back_from_its_joint_positions(robot: Embodiment, arm: Kinematics) -> None:
    poses = arm.arm_pose(anywhere(robot, 8, 500))
    np.testing.assert_allclose(arm.arm_pose(arm.joint_positions(poses)), poses, atol=1e-9)


@pytest.mark.parametrize("height_m", [0.01, 0.0125, 0.06, 0.075])
def test_fingers_straight_down_reach_every_place_for_cubes_and_boxes_within_limits(
    robot: Embodiment, arm: Kinematics, height_m: float
) -> None:
    region = [(x, y) for x in np.linspace(0.15, 0.25, 6) for y in np.linspace(-0.08, 0.08, 9)]
    region = [(x, y) for x, y in region if 0.15 <= np.hypot(x, y) <= 0.255] + [(0.16, 0.155), (0.16, -0.155)]
    for x, y in region:
        point = np.array([x, y, height_m])
        # the jaw as far aslant as a cube can lie
        for yaw in np.arctan2(y, x) + np.pi + np.radians([-45, 0, 45]):
            pose = arm.downward_pose(point, yaw, 0.3)
            positions = arm.joint_positions(pose)
            assert np.linalg.norm(arm.pinch_point(positions) - point) < 3e-4
            assert np.all(positions >= robot.lower_rad), positions
            assert np.all(positions <= robot.upper_rad), positions
            assert pose[PITCH] == 0.0
            _, rotation = arm.gripper_frame(positions)
            fixed, along = rotation @ arm.fixed_finger, rotation @ arm.pinch_in_gripper
            np.testing.assert_allclose(fixed, [np.cos(yaw), np.sin(yaw), 0.0], atol=1e-4)
            assert along[2] / np.linalg.norm(along) < -0.999


def test_a_place_out_of_reach_gives_the_stretched_arm_which_says_so(arm: Kinematics) -> None:
    pose = arm.downward_pose(np.array([0.6, 0.0, 0.05]), np.pi, 0.0)
    positions = arm.joint_positions(pose)
    assert np.all(np.isfinite(positions))
    assert np.linalg.norm(arm.arm_pose(positions)[:3] - pose[:3]) > 0.1
