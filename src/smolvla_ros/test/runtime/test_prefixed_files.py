from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from smolvla_ros.embodiment import DEFAULT_FILE, EmbodimentError, load_embodiment
from smolvla_ros.runtime.graph import CONTROLLERS_FILE
from smolvla_ros.runtime.prefixed_files import controllers_for, with_prefix


def test_without_a_prefix_the_files_are_those_given(tmp_path: Path) -> None:
    assert with_prefix("robot.yaml", "", tmp_path) == "robot.yaml"
    assert controllers_for(CONTROLLERS_FILE, "", tmp_path) == CONTROLLERS_FILE


def test_the_copy_differs_in_the_prefix_alone(tmp_path: Path) -> None:
    left = with_prefix("", "left_", tmp_path)
    assert yaml.safe_load(Path(left).read_text()) == {**yaml.safe_load(DEFAULT_FILE.read_text()), "prefix": "left_"}
    right = load_embodiment(with_prefix(left, "right_", tmp_path))
    assert right.prefix == "right_"
    assert right.wire_names[0] == "right_shoulder_pan"


def test_a_prefix_that_no_joint_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbodimentError, match=r"prefix: expected letters, .* found 'left arm'"):
        with_prefix("", "left arm", tmp_path)


def test_each_controller_gets_the_joints_of_the_wire(tmp_path: Path) -> None:
    plain = yaml.safe_load(CONTROLLERS_FILE.read_text())
    left = yaml.safe_load(controllers_for(CONTROLLERS_FILE, "left_", tmp_path).read_text())
    assert set(left) == set(plain)
    wire = [f"left_{name}" for name in load_embodiment().joint_names]
    assert left["joint_trajectory_controller"]["ros__parameters"]["joints"] == wire
    assert left["gripper_controller"]["ros__parameters"]["joint"] == "left_gripper"
    assert left["controller_manager"] == plain["controller_manager"]
