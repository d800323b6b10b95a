"""The closed form against the official URDF's figures, and against itself turned round."""

from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.kinematics import (
    PINCH_POINT,
    PITCH,
    arm_pose,
    downward_pose,
    gripper_frame,
    joint_positions,
    pinch_point,
)

# Positions; origin of the gripper link, its y axis, origin of the jaw link: in the base frame of
# Simulation/SO100/so100.urdf (TheRobotStudio/SO-ARM100), multiplied out joint by joint from the file.
OFFICIAL = [
    ([0, 0, 0, 0, 0, 0], [0, -0.1466296, 0.1362742], [0, 0.9422266, 0.3349762], [0, -0.1763865, 0.1471338]),
    (
        [0, 1.75, -1.5708, -0.65, 0, 0.9],
        [0, -0.2922077, 0.2525115],
        [0, 0.9916627, -0.1288607],
        [0, -0.3138013, 0.2756873],
    ),
    (
        [0.7, 1.2, -0.9, 0.4, -1.1, 0.3],
        [0.1001237, -0.1640701, 0.1714855],
        [-0.3252343, 0.3861372, 0.8632037],
        [0.0993856, -0.1911386, 0.1550491],
    ),
    (
        [-1.5, 2.8, -2.2, 1.0, 2.5, 0],
        [-0.2456752, -0.0626218, 0.0562104],
        [-0.3614442, -0.0256259, 0.9320415],
        [-0.2209553, -0.0729885, 0.0393326],
    ),
]
JAW_ORIGIN = np.array([-0.0202, -0.0244, 0.0])
BASE_TO_SCENE = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(("positions", "origin", "y_axis", "jaw"), OFFICIAL)
def test_forward_kinematics_has_the_official_figures(positions, origin, y_axis, jaw):
    found_origin, rotation = gripper_frame(np.array(positions, dtype=float))
    np.testing.assert_allclose(found_origin, BASE_TO_SCENE @ origin, atol=1e-6)
    np.testing.assert_allclose(rotation[:, 1], BASE_TO_SCENE @ y_axis, atol=1e-6)
    np.testing.assert_allclose(found_origin + rotation @ JAW_ORIGIN, BASE_TO_SCENE @ jaw, atol=1e-6)


def test_the_plane_figures_and_the_chain_agree_over_the_whole_joint_range():
    robot = load_embodiment()
    for positions in np.random.default_rng(7).uniform(robot.lower_rad, robot.upper_rad, (200, 6)):
        origin, rotation = gripper_frame(positions)
        on_roll_axis = origin + rotation @ np.array([0.0, PINCH_POINT[1], 0.0])
        pan, reach, height = arm_pose(positions)[:3]
        expected = [0.0452 + reach * np.cos(pan), reach * np.sin(pan), height]
        np.testing.assert_allclose(on_roll_axis, expected, atol=1e-5)


def test_a_pose_comes_back_from_its_joint_positions():
    robot = load_embodiment()
    poses = arm_pose(np.random.default_rng(8).uniform(robot.lower_rad, robot.upper_rad, (500, 6)))
    np.testing.assert_allclose(arm_pose(joint_positions(poses)), poses, atol=1e-9)


@pytest.mark.parametrize("height_m", [0.01, 0.0125, 0.06, 0.075])
def test_fingers_straight_down_reach_every_place_for_cubes_and_boxes_within_limits(height_m):
    robot = load_embodiment()
    region = [(x, y) for x in np.linspace(0.15, 0.25, 6) for y in np.linspace(-0.08, 0.08, 9)]
    region = [(x, y) for x, y in region if 0.15 <= np.hypot(x, y) <= 0.255] + [(0.16, 0.155), (0.16, -0.155)]
    for x, y in region:
        point = np.array([x, y, height_m])
        # the jaw as far aslant as a cube can lie
        for yaw in np.arctan2(y, x) + np.pi + np.radians([-45, 0, 45]):
            pose = downward_pose(point, yaw, 0.3)
            positions = joint_positions(pose)
            assert np.linalg.norm(pinch_point(positions) - point) < 1e-4
            assert np.all(positions >= robot.lower_rad)
            assert np.all(positions <= robot.upper_rad)
            assert pose[PITCH] == 0.0
            _, rotation = gripper_frame(positions)
            np.testing.assert_allclose(rotation[:, 0], [np.cos(yaw), np.sin(yaw), 0.0], atol=1e-4)
            np.testing.assert_allclose(rotation[:, 1], [0.0, 0.0, 1.0], atol=1e-4)


def test_a_place_out_of_reach_gives_the_stretched_arm_which_says_so():
    pose = downward_pose(np.array([0.6, 0.0, 0.05]), np.pi, 0.0)
    positions = joint_positions(pose)
    assert np.all(np.isfinite(positions))
    assert np.linalg.norm(arm_pose(positions)[:3] - pose[:3]) > 0.1
