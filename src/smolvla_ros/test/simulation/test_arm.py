"""The published MuJoCo models stand where the official URDFs say, for both arms."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import DEFAULT_FILE, EmbodimentError, load_embodiment
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.world import World

DATA = Path(__file__).parents[1] / "data"
# the URDF's base to the scene
FORWARD = {"so100": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), "so101": np.eye(3)}


@pytest.fixture(scope="module", params=["so100", "so101"])
def world(request: pytest.FixtureRequest) -> World:
    return World(load_embodiment(DEFAULT_FILE.with_name(f"{request.param}.yaml")))


@pytest.fixture
def golden(world: World) -> list[dict]:
    return json.loads((DATA / f"official_{world.arm.robot_type}_fk.json").read_text())["poses"]


def test_joint_origins_and_axes_equal_the_official_urdfs_within_a_tenth_of_a_millimetre(
    world: World, golden: list[dict]
) -> None:
    forward = FORWARD[world.arm.robot_type]
    for pose in golden:
        world.place(np.array(pose["joints_rad"]), {})
        for name in world.embodiment.joint_names:
            joint = world.model.joint(world.arm.joints[name].mjcf_name).id
            np.testing.assert_allclose(world.data.xanchor[joint], forward @ pose["origins_m"][name], atol=1e-4)
            np.testing.assert_allclose(world.data.xaxis[joint], forward @ pose["axes"][name], atol=2e-4)


def test_positions_read_back_as_they_were_placed(world: World, golden: list[dict]) -> None:
    for pose in golden[:5]:
        world.place(np.array(pose["joints_rad"]), {})
        np.testing.assert_allclose(world.positions, pose["joints_rad"], atol=1e-12)


def test_an_arm_that_the_simulator_does_not_know_is_refused() -> None:
    other = dataclasses.replace(load_embodiment(), robot_type="koch")
    with pytest.raises(
        EmbodimentError, match="robot_type: simulator and scripted policy know so100, so101; found 'koch'"
    ):
        arm_of(other)


def test_joints_that_are_not_the_arms_are_refused() -> None:
    robot = load_embodiment()
    with pytest.raises(
        EmbodimentError, match=r"joints: expected shoulder_pan, .* of so100; found shoulder_pan, .*wrist_roll$"
    ):
        arm_of(dataclasses.replace(robot, joints=robot.joints[:5]))
