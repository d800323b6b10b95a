"""The collision check with the arms' own shapes: the description's pairs, the kinematics, the scripted policy."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import xacro
from smolvla_ros.collision.arm_bodies import TABLE, ArmBodies, CollisionModelError, joined_links
from smolvla_ros.collision.obstacles import Box, Obstacles
from smolvla_ros.embodiment import DEFAULT_FILE, Embodiment, load_embodiment
from smolvla_ros.execution.collisions import TOLERANCE_M, CollisionCheck
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.execution.within_limits import motion_within
from smolvla_ros.runtime.collision_bench import deepest_m, scripted_motions
from smolvla_ros.runtime.description import robot_description, with_mesh_paths
from smolvla_ros.simulation.arm import arm_of

SRDF = Path(__file__).parents[3] / "so100_moveit_config" / "config" / "so100.srdf.xacro"
CLOSED = -0.1


@pytest.fixture(scope="module", params=["so100", "so101"])
def embodiment(request: pytest.FixtureRequest) -> Embodiment:
    return load_embodiment(DEFAULT_FILE.with_name(f"{request.param}.yaml"))


@pytest.fixture(scope="module")
def urdf(embodiment: Embodiment) -> str:
    return with_mesh_paths(robot_description(embodiment, "virtual", ""))


@pytest.fixture(scope="module")
def bodies(embodiment: Embodiment, urdf: str) -> ArmBodies:
    return ArmBodies(urdf, embodiment.joint_names, Obstacles())


@pytest.fixture(scope="module")
def srdf(embodiment: Embodiment) -> ET.Element:
    return ET.fromstring(xacro.process_file(str(SRDF), mappings={"embodiment": str(embodiment.path.resolve())}).toxml())


def motion_to(embodiment: Embodiment, start: np.ndarray, end: np.ndarray, rows: int = 50) -> Trajectory:
    course = start + np.linspace(0.0, 1.0, rows)[:, None] * (end - start)
    times = np.arange(1, rows + 1) / 15
    return motion_within(0.0, start, np.zeros(6), times, course, MotionLimits.of(embodiment)).trajectory


def reaching_down(embodiment: Embodiment, height_m: float) -> np.ndarray:
    kinematics = arm_of(embodiment).kinematics
    pose = kinematics.downward_pose(np.array([0.2, 0.0, height_m]), 0.0, CLOSED)
    return kinematics.joint_positions(pose)


def test_the_pairs_left_out_are_those_that_the_srdf_calls_adjacent(bodies: ArmBodies, srdf: ET.Element) -> None:
    pairs = [each for each in srdf.findall("disable_collisions") if each.get("reason") == "Adjacent"]
    adjacent = {tuple(sorted((each.get("link1"), each.get("link2")))) for each in pairs}
    assert len(adjacent) == 6
    assert adjacent <= bodies.apart
    shaped = {"base", "shoulder", "upper_arm", "lower_arm", "wrist", "gripper", "jaw"}
    assert {pair for pair in bodies.apart if set(pair) <= shaped} == adjacent


def test_the_srdfs_named_poses_touch_nothing(embodiment: Embodiment, bodies: ArmBodies, srdf: ET.Element) -> None:
    states = [each for each in srdf.findall("group_state") if each.get("group") == "manipulator"]
    assert len(states) >= 3
    for state in states:
        values = {joint.get("name"): float(joint.get("value")) for joint in state.findall("joint")}
        assert bodies.depths(np.array([values.get(name, 0.0) for name in embodiment.joint_names])) == {}


def test_fingers_lowered_by_a_centimetre_are_a_centimetre_deeper_in_the_table(
    embodiment: Embodiment, bodies: ArmBodies
) -> None:
    heights = np.array([-0.01, -0.02, -0.03, -0.04])
    depths = [bodies.depths(reaching_down(embodiment, height))["gripper", TABLE] for height in heights]
    np.testing.assert_allclose(np.diff(depths), 0.01, atol=2e-4)
    # the tips end less than 2 cm beyond the point between them
    assert 0.0 < depths[0] + heights[0] < 0.02


def test_a_motion_through_the_table_is_refused_and_names_it(embodiment: Embodiment, bodies: ArmBodies) -> None:
    check = CollisionCheck(bodies.depths, TOLERANCE_M)
    above, below = reaching_down(embodiment, 0.06), reaching_down(embodiment, -0.06)
    found = check.first(motion_to(embodiment, above, below))
    assert found is not None
    assert TABLE in found.pair
    assert found.depth_m < 0.02
    assert "table" in check.told(found)
    assert check.first(motion_to(embodiment, below, above)) is None


def test_a_motion_into_the_arm_itself_is_refused(embodiment: Embodiment, bodies: ArmBodies) -> None:
    check, random = CollisionCheck(bodies.depths, TOLERANCE_M), np.random.default_rng(3)
    into_itself = 0
    for _ in range(60):
        end = random.uniform(embodiment.lower_rad, embodiment.upper_rad)
        own = {pair: depth for pair, depth in bodies.depths(end).items() if TABLE not in pair}
        found = check.first(motion_to(embodiment, embodiment.home_rad, end))
        if max(own.values(), default=0.0) > TOLERANCE_M:
            into_itself += 1
            assert found is not None
        if found is None:
            assert max(bodies.depths(end).values(), default=0.0) <= TOLERANCE_M
    assert into_itself >= 3


def test_a_box_is_an_obstacle_where_it_stands(embodiment: Embodiment, urdf: str) -> None:
    tip = arm_of(embodiment).kinematics.pinch_point(embodiment.home_rad)
    boxes = (Box("post", tuple(tip.tolist()), (0.02, 0.02, 0.02)), Box("far", (1.0, 1.0, 1.0), (0.1, 0.1, 0.1), 0.3))
    depths = ArmBodies(urdf, embodiment.joint_names, Obstacles(False, boxes)).depths(embodiment.home_rad)
    assert depths
    assert all("post" in pair for pair in depths)


def test_what_the_scripted_policy_does_is_never_refused(embodiment: Embodiment, bodies: ArmBodies) -> None:
    motions = scripted_motions(embodiment, scenes_a_task=1, seed=11)
    check = CollisionCheck(bodies.depths, TOLERANCE_M)
    assert len(motions) > 20
    assert [found for motion in motions if (found := check.first(motion))] == []
    # its fingers do touch the table: the tolerance is not without need
    assert deepest_m(motions, bodies) < TOLERANCE_M / 2


def test_links_that_a_joint_connects_are_found_by_name() -> None:
    text = '<robot><joint><parent link="b"/><child link="a"/></joint></robot>'
    assert joined_links(text) == {("a", "b")}


def test_a_urdf_of_another_arm_is_told(urdf: str) -> None:
    with pytest.raises(CollisionModelError, match="expected a URDF with joints shoulder, wing"):
        ArmBodies(urdf, ("shoulder", "wing"), Obstacles())


def test_without_mujoco_the_check_says_what_to_install(urdf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(CollisionModelError, match="pip install 'mujoco"):
        ArmBodies(urdf, (), Obstacles())
