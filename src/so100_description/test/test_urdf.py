"""The URDF is one tree with sound limits and inertias; wrong arguments are refused in words."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

XACRO_FILE = Path(__file__).parent.parent / "urdf" / "so100.urdf.xacro"
LINKS = ["base", "shoulder", "upper_arm", "lower_arm", "wrist", "gripper", "jaw"]
FRAMES = {"gripper_frame"} | {f"{name}_camera_{end}" for name in ("top", "wrist") for end in ("link", "optical_frame")}


@pytest.mark.parametrize("prefix", ["", "left_"])
@pytest.mark.parametrize("meshes", ["true", "false"])
def test_links_are_one_tree_below_the_world(describe: Callable[..., ET.Element], prefix: str, meshes: str) -> None:
    robot = describe(prefix=prefix, meshes=meshes)
    links = [link.get("name") for link in robot.findall("link")]
    assert sorted(links) == sorted([prefix + name for name in ("world", *LINKS, *FRAMES)])
    parents = {joint.find("child").get("link"): joint.find("parent").get("link") for joint in robot.findall("joint")}
    assert sorted(parents) == sorted(set(links) - {prefix + "world"})
    for link in parents:
        above = [link]
        while above[-1] != prefix + "world":
            above.append(parents[above[-1]])
            assert len(above) <= len(links), f"a ring: {above}"


def test_limits_are_the_embodiments(robot: ET.Element, embodiment: dict[str, Any]) -> None:
    limits = {j.get("name"): j.find("limit") for j in robot.findall("joint") if j.get("type") == "revolute"}
    assert list(limits) == [joint["name"] for joint in embodiment["joints"]]
    for joint in embodiment["joints"]:
        limit = limits[joint["name"]]
        assert [float(limit.get("lower")), float(limit.get("upper"))] == joint["limits_rad"]
        assert float(limit.get("velocity")) == joint["max_velocity_rad_s"]
        assert float(limit.get("effort")) > 0


def test_camera_frames_are_those_that_images_carry(robot: ET.Element, embodiment: dict[str, Any]) -> None:
    links = {link.get("name") for link in robot.findall("link")}
    assert {camera["frame_id"] for camera in embodiment["cameras"]} <= links


@pytest.mark.parametrize("link", LINKS)
def test_inertia_is_one_that_a_body_can_have(robot: ET.Element, link: str) -> None:
    inertial = robot.find(f"link[@name='{link}']/inertial")
    assert 0.01 < float(inertial.find("mass").get("value")) < 0.5
    xx, xy, xz, yy, yz, zz = (
        float(inertial.find("inertia").get(f"i{axes}")) for axes in ("xx", "xy", "xz", "yy", "yz", "zz")
    )
    low, middle, high = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    assert low > 0
    assert low + middle >= high


def test_boxes_need_no_mesh_files(describe: Callable[..., ET.Element]) -> None:
    robot = describe(meshes="false")
    assert not robot.findall(".//mesh")
    for link in LINKS:
        assert robot.find(f"link[@name='{link}']/visual/geometry/box") is not None
        assert robot.find(f"link[@name='{link}']/collision/geometry/box") is not None


def without_elbow(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "joints": [j for j in embodiment["joints"] if j["name"] != "elbow_flex"]}


def with_elbow_twice(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "joints": [*embodiment["joints"], embodiment["joints"][2]]}


def with_a_joint_that_no_link_has(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "joints": [*embodiment["joints"], {**embodiment["joints"][0], "name": "rail", "servo_id": 7}]}


def with_another_robot(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "robot_type": "koch"}


def with_a_camera_on_nothing(embodiment: dict[str, Any]) -> dict[str, Any]:
    top, *others = embodiment["cameras"]
    return {**embodiment, "cameras": [{**top, "mount": {**top["mount"], "parent": "ceiling"}}, *others]}


def with_nothing(embodiment: dict[str, Any]) -> None:
    return None


def with_joints_no_list(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "joints": 6}


def without_baud_rate(embodiment: dict[str, Any]) -> dict[str, Any]:
    return {**embodiment, "bus": {"usb_port": "/dev/ttyACM0"}}


@pytest.mark.parametrize(
    ("arguments", "change", "words"),
    [
        ({"hardware_type": "gazebo"}, None, r"hardware_type: expected one of mujoco, .*, found 'gazebo'"),
        ({"embodiment": "so100.yaml"}, None, r"embodiment: expected an absolute path .*, found 'so100.yaml'"),
        ({"embodiment": "/nowhere/so100.yaml"}, None, r"No such file or directory: '/nowhere/so100.yaml'"),
        ({"meshes": "yes"}, None, r"meshes: expected auto, true or false, found 'yes'"),
        ({"variant": "so102"}, None, r"variant: expected one of so100, so101, found 'so102'"),
        ({}, with_another_robot, r"robot_type: expected one of so100, so101, found 'koch' in "),
        ({}, with_a_camera_on_nothing, r"cameras\[top\].mount.parent: expected one of world, .*, found 'ceiling'"),
        ({}, without_elbow, r"joints: expected .*, elbow_flex, .*, found shoulder_pan, shoulder_lift, wrist"),
        ({}, with_elbow_twice, r"embodiment: joints: expected .*, found .*, gripper, elbow_flex in "),
        ({}, with_a_joint_that_no_link_has, r"embodiment: joints: expected .*, found .*, gripper, rail in "),
        ({}, with_nothing, r"embodiment: expected a file like .* with a list of joints, found none in .*/so100.yaml"),
        ({}, with_joints_no_list, r"embodiment: expected a file like .* with a list of joints, found none in"),
        ({}, without_baud_rate, r"no key 'baud_rate'"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_wrong_arguments_are_refused_in_words(
    embodiment: dict[str, Any],
    tmp_path: Path,
    arguments: dict[str, str],
    change: Callable[[dict[str, Any]], dict[str, Any] | None] | None,
    words: str,
) -> None:
    file = tmp_path / "so100.yaml"
    file.write_text(yaml.safe_dump(change(embodiment) if change else embodiment))
    given = [f"{name}:={value}" for name, value in {"embodiment": str(file), **arguments}.items()]
    command = [sys.executable, "-c", "import xacro; xacro.main()", str(XACRO_FILE), *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert not done.stdout
    assert re.search(words, done.stderr.splitlines()[0]), done.stderr
    assert "Traceback" not in done.stderr


def test_an_arm_of_the_other_variant_is_refused(variant: str) -> None:
    other = {"so100": "so101", "so101": "so100"}[variant]
    file = XACRO_FILE.parents[3] / "config" / f"{variant}.yaml"
    command = [sys.executable, "-c", "import xacro; xacro.main()", str(XACRO_FILE), f"embodiment:={file}"]
    done = subprocess.run([*command, f"variant:={other}"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"variant: expected {variant}, as {file} says, found '{other}'" in done.stderr.splitlines()[0]


def test_a_camera_without_a_mount_has_no_frame(
    describe: Callable[..., ET.Element], embodiment: dict[str, Any], tmp_path: Path
) -> None:
    top, wrist = embodiment["cameras"]
    file = tmp_path / "own.yaml"
    without = {key: value for key, value in top.items() if key != "mount"}
    file.write_text(yaml.safe_dump({**embodiment, "cameras": [without, wrist]}))
    links = {link.get("name") for link in describe(embodiment=str(file)).findall("link")}
    assert "top_camera_optical_frame" not in links
    assert "wrist_camera_optical_frame" in links


@pytest.mark.skipif(shutil.which("check_urdf") is None, reason="urdfdom's check_urdf is not installed")
@pytest.mark.parametrize("prefix", ["", "left_"])
def test_check_urdf_has_nothing_to_say(describe: Callable[..., ET.Element], tmp_path: Path, prefix: str) -> None:
    file = tmp_path / "arm.urdf"
    file.write_bytes(ET.tostring(describe(prefix=prefix)))
    done = subprocess.run(["check_urdf", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert f"root Link: {prefix}world" in done.stdout
