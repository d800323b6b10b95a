from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from smolvla_ros.embodiment import DEFAULT_FILE, EmbodimentError, load_embodiment


@pytest.fixture
def raw() -> dict:
    return yaml.safe_load(DEFAULT_FILE.read_text())


def written(folder: Path, raw: object) -> Path:
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_the_so100_file_loads_with_arrays_in_joint_order() -> None:
    robot = load_embodiment()
    assert robot.joint_names == (
        "shoulder_pan",
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    )
    assert [joint.servo_id for joint in robot.joints] == [1, 2, 3, 4, 5, 6]
    assert np.all(robot.lower_rad <= robot.home_rad)
    assert np.all(robot.home_rad <= robot.upper_rad)
    assert {camera.name for camera in robot.cameras} == {"top", "wrist"}


@pytest.mark.parametrize("name", ["so100", "so101"])
def test_home_and_limits_are_inside_the_calibrated_servo_range(name: str) -> None:
    for joint in load_embodiment(DEFAULT_FILE.with_name(f"{name}.yaml")).joints:
        low, high = joint.range_ticks
        for angle in (*joint.limits_rad, joint.home_rad):
            ticks = joint.zero_ticks + joint.sign * angle * 4096 / (2 * np.pi)
            assert low - 1 <= ticks <= high + 1, (joint.name, angle, ticks)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("sign", 0, ["joints[elbow_flex].sign", "1 or -1", "0"]),
        ("sign", "left", ["joints[elbow_flex].sign", "whole number", "'left'"]),
        ("servo_id", 300, ["joints[elbow_flex].servo_id", "0 to 253", "300"]),
        ("limits_rad", [1.0, -1.0], ["joints[elbow_flex].limits_rad", "lower below upper", "[1.0, -1.0]"]),
        ("limits_rad", 3, ["joints[elbow_flex].limits_rad", "list of two", "3"]),
        ("home_rad", 9.0, ["joints[elbow_flex].home_rad", "inside limits_rad", "9.0"]),
        ("home_rad", float("nan"), ["joints[elbow_flex].home_rad", "a number", "nan"]),
        ("max_velocity_rad_s", -1, ["joints[elbow_flex].max_velocity_rad_s", "above 0", "-1"]),
        ("lerobot_unit", "radians", ["joints[elbow_flex].lerobot_unit", "degrees", "'radians'"]),
        ("range_ticks", [0, 5000], ["joints[elbow_flex].range_ticks", "0 to 4095", "5000"]),
        ("homing_offset", 2048, ["joints[elbow_flex].homing_offset", "-2047 to 2047", "2048"]),
        ("torque_limit", 1.5, ["joints[elbow_flex].torque_limit", "0 to 1", "1.5"]),
        ("torque_limit", 0, ["joints[elbow_flex].torque_limit", "above 0", "0"]),
        ("p_coefficient", 255, ["joints[elbow_flex].p_coefficient", "0 to 254", "255"]),
        ("i_coefficient", -1, ["joints[elbow_flex].i_coefficient", "0 to 254", "-1"]),
        ("d_coefficient", 1.5, ["joints[elbow_flex].d_coefficient", "whole number", "1.5"]),
        ("park_rad", 1.0, ["joints[elbow_flex].park_rad", "inside limits_rad", "1.0"]),
        ("colour", "red", ["joints[elbow_flex].colour", "no such field", "'red'"]),
    ],
)
def test_a_wrong_joint_field_is_named_with_expected_and_found(
    tmp_path: Path, raw: dict, field: str, value: object, words: list[str]
) -> None:
    raw["joints"][2][field] = value
    with pytest.raises(EmbodimentError) as caught:
        load_embodiment(written(tmp_path, raw))
    for word in [*words, "robot.yaml"]:
        assert word in str(caught.value)


def test_an_arm_s_own_file_may_say_more_of_its_servos(tmp_path: Path, raw: dict) -> None:
    said = {
        "homing_offset": -1523,
        "torque_limit": 0.5,
        "p_coefficient": 16,
        "i_coefficient": 0,
        "d_coefficient": 32,
        "park_rad": -3.0,
    }
    raw["joints"][2].update(said)
    robot = load_embodiment(written(tmp_path, raw))
    assert {field: getattr(robot.joints[2], field) for field in said} == said
    assert {getattr(robot.joints[0], field) for field in said} == {None}


@pytest.mark.parametrize("name", ["so100", "so101"])
def test_both_arms_have_the_same_joints_cameras_and_rates(name: str) -> None:
    robot, so100 = load_embodiment(DEFAULT_FILE.with_name(f"{name}.yaml")), load_embodiment()
    assert robot.robot_type == name
    assert robot.joint_names == so100.joint_names
    assert [camera.feature for camera in robot.cameras] == [camera.feature for camera in so100.cameras]
    assert robot.rates == so100.rates


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("parent", 3, ["mount.parent", "a text", "3"]),
        ("xyz_m", [0.1, 0.2], ["mount.xyz_m", "a list of 3 numbers", "[0.1, 0.2]"]),
        ("rpy_rad", [0, 0, "up"], ["mount.rpy_rad", "a number", "'up'"]),
        ("fovy_deg", 180, ["mount.fovy_deg", "below 180", "180"]),
        ("lens", "wide", ["mount.lens", "no such field", "'wide'"]),
    ],
)
def test_a_wrong_camera_mount_is_named_with_expected_and_found(
    tmp_path: Path, raw: dict, field: str, value: object, words: list[str]
) -> None:
    raw["cameras"][0]["mount"][field] = value
    with pytest.raises(EmbodimentError) as caught:
        load_embodiment(written(tmp_path, raw))
    for word in ["cameras[top]", *words]:
        assert word in str(caught.value)


def test_a_camera_need_not_say_where_it_stands(tmp_path: Path, raw: dict) -> None:
    del raw["cameras"][0]["mount"]
    assert load_embodiment(written(tmp_path, raw)).camera("top").mount is None


def test_a_prefix_renames_joints_and_frames_on_the_wire_and_nothing_else(tmp_path: Path, raw: dict) -> None:
    robot, left = load_embodiment(), load_embodiment(written(tmp_path, {**raw, "prefix": "left_"}))
    assert left.wire_names == tuple(f"left_{name}" for name in robot.joint_names)
    assert (left.joint_names, robot.wire_names) == (robot.joint_names, robot.joint_names)
    assert [camera.frame_id for camera in left.cameras] == [f"left_{camera.frame_id}" for camera in robot.cameras]
    assert [camera.topic for camera in left.cameras] == [camera.topic for camera in robot.cameras]


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ({}, "device.path: missing"),
        ({"path": "/dev/video0", "pixel_format": "h264"}, "device.pixel_format: expected one of mjpeg, yuyv"),
        ({"path": "/dev/video0", "calibration": "top.yaml"}, "device.calibration: expected an absolute path"),
        ({"path": "/dev/video0", "gain": 3}, "device.gain: expected no such field"),
    ],
)
def test_a_wrong_camera_device_is_told_by_its_field(tmp_path: Path, raw: dict, device: dict, told: str) -> None:
    raw["cameras"][1]["device"] = device
    with pytest.raises(EmbodimentError) as caught:
        load_embodiment(written(tmp_path, raw))
    assert f"cameras[wrist].{told}" in str(caught.value)


def test_a_missing_field_is_named(tmp_path: Path, raw: dict) -> None:
    del raw["cameras"][0]["width"]
    with pytest.raises(EmbodimentError, match=r"cameras\[top\]\.width: missing"):
        load_embodiment(written(tmp_path, raw))


@pytest.mark.parametrize("key", ["name", "servo_id"])
def test_two_joints_may_not_share_a_name_or_a_servo(tmp_path: Path, raw: dict, key: str) -> None:
    raw["joints"][1][key] = raw["joints"][0][key]
    with pytest.raises(EmbodimentError, match=f"joints.{key}"):
        load_embodiment(written(tmp_path, raw))


@pytest.mark.parametrize("text", ["[1, 2]", "just words", "a: [1", ""])
def test_a_file_that_is_no_embodiment_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(EmbodimentError, match=r"robot\.yaml"):
        load_embodiment(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbodimentError, match=r"nowhere\.yaml"):
        load_embodiment(tmp_path / "nowhere.yaml")


def test_an_unknown_camera_is_told_with_those_there_are() -> None:
    with pytest.raises(EmbodimentError, match="no camera 'side'; the file has: top, wrist"):
        load_embodiment().camera("side")
