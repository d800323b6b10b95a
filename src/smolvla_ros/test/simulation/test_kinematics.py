from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from smolvla_ros.simulation.world import World

ROBOT = load_embodiment()
GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "official_urdf_fk.json").read_text())
FORWARD = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # the URDF's base to the scene: +90 degrees
inside_limits = st.tuples(*(st.floats(*joint.limits_rad) for joint in ROBOT.joints)).map(np.array)


def test_the_gripper_is_where_the_official_urdf_has_it_within_a_tenth_of_a_millimetre() -> None:
    for pose in GOLDEN["poses"]:
        origin, rotation = gripper_frame(np.array(pose["joints_rad"]))
        np.testing.assert_allclose(origin, FORWARD @ pose["origins_m"]["wrist_roll"], atol=1e-4)
        np.testing.assert_allclose(rotation[:, 1], FORWARD @ pose["axes"]["wrist_roll"], atol=1e-4)


def test_the_pinch_point_is_between_the_simulated_fingers() -> None:
    world = World(ROBOT)
    for pose in GOLDEN["poses"]:
        positions = np.array(pose["joints_rad"])
        world.place(positions, {})
        jaw = world.data.body("Fixed_Jaw")
        expected = jaw.xpos + jaw.xmat.reshape(3, 3) @ PINCH_POINT
        np.testing.assert_allclose(pinch_point(positions), expected, atol=1e-4)


@given(inside_limits)
def test_joint_positions_and_arm_pose_are_inverses(positions: np.ndarray) -> None:
    pose = arm_pose(positions)
    np.testing.assert_allclose(arm_pose(joint_positions(pose)), pose, atol=1e-6)


def test_a_whole_trajectory_is_solved_as_one_array() -> None:
    positions = ROBOT.home_rad + np.linspace(0, 0.3, 20)[:, None] * np.array([1, 1, -0.5, 0.2, 1, 1])
    np.testing.assert_allclose(joint_positions(arm_pose(positions)), positions, atol=1e-9)


@given(
    radius_m=st.floats(0.14, 0.28),
    bearing_rad=st.floats(-1.2, 1.2),
    height_m=st.floats(0.01, 0.06),
    yaw_rad=st.floats(-np.pi, np.pi),
)
def test_fingers_come_down_on_any_point_of_the_table_in_reach(
    radius_m: float, bearing_rad: float, height_m: float, yaw_rad: float
) -> None:
    point = np.array([radius_m * np.cos(bearing_rad), radius_m * np.sin(bearing_rad), height_m])
    pose = downward_pose(point, yaw_rad, 0.5)
    positions = joint_positions(pose)
    np.testing.assert_allclose(pinch_point(positions), point, atol=2e-4)
    _, rotation = gripper_frame(positions)
    np.testing.assert_allclose(-rotation[:, 1], [0, 0, -1], atol=1e-4)  # fingers point along -y of the gripper
    np.testing.assert_allclose(rotation[:2, 0], [np.cos(yaw_rad), np.sin(yaw_rad)], atol=1e-4)
    assert pose[PITCH] == 0.0


def test_a_point_out_of_reach_gives_the_stretched_arm_and_shows_by_the_distance() -> None:
    point = np.array([0.6, 0.0, 0.01])
    positions = joint_positions(downward_pose(point, 0.0, 0.5))
    assert np.all(np.isfinite(positions))
    assert np.linalg.norm(pinch_point(positions) - point) == pytest.approx(0.25, abs=0.1)
