"""Actions that are offsets from the state: LeRobot's two steps, read, written and applied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.smolvla import SmolVLAPolicy
from smolvla_ros.units import LeRobotUnits

ROBOT = load_embodiment()
NAMES = tuple(f"{name}.pos" for name in ROBOT.joint_names)
OFFSETS = RelativeActions(("gripper",), NAMES)
PRE, POST = "policy_preprocessor.json", "policy_postprocessor.json"


@pytest.fixture
def checkpoint() -> Checkpoint:
    made = random_checkpoint(ROBOT)
    return replace(made, processors=replace(made.processors, relative=OFFSETS))


def steps_of(folder: Path, name: str) -> list[dict]:
    return json.loads((folder / name).read_text())["steps"]


def test_excluded_joints_keep_their_values_and_the_others_become_offsets() -> None:
    actions, state = torch.rand(2, 4, 6), torch.rand(2, 6)
    relative = OFFSETS.relative(actions, state)
    torch.testing.assert_close(relative[..., :5], actions[..., :5] - state[:, None, :5])
    assert torch.equal(relative[..., 5], actions[..., 5])
    torch.testing.assert_close(OFFSETS.absolute(relative, state), actions)


def test_without_names_every_joint_is_an_offset() -> None:
    assert RelativeActions(("gripper",)).mask(6).all()


def test_the_files_hold_lerobots_two_steps_and_are_read_back(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path)
    pre, post = steps_of(tmp_path, PRE), steps_of(tmp_path, POST)
    order = [step["registry_name"] for step in pre]
    assert order.index("relative_actions_processor") < order.index("normalizer_processor")
    assert [step["registry_name"] for step in post][:2] == ["unnormalizer_processor", "absolute_actions_processor"]
    assert pre[order.index("relative_actions_processor")]["config"] == {
        "enabled": True,
        "exclude_joints": ["gripper"],
        "action_names": list(NAMES),
    }
    assert load_checkpoint(tmp_path).processors.relative == OFFSETS


@pytest.mark.parametrize(("name", "step"), [(PRE, "relative_actions"), (POST, "absolute_actions")])
def test_one_step_without_its_pair_is_refused(checkpoint: Checkpoint, tmp_path: Path, name: str, step: str) -> None:
    save_checkpoint(checkpoint, tmp_path)
    content = json.loads((tmp_path / name).read_text())
    content["steps"] = [each for each in content["steps"] if not each["registry_name"].startswith(step)]
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=f"{name}: steps: expected {step}_processor"):
        load_checkpoint(tmp_path)


def test_steps_that_are_switched_off_change_nothing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path)
    for name in (PRE, POST):
        content = json.loads((tmp_path / name).read_text())
        for step in content["steps"]:
            if "actions_processor" in step["registry_name"]:
                step["config"]["enabled"] = False
        (tmp_path / name).write_text(json.dumps(content))
    assert load_checkpoint(tmp_path).processors.relative is None


def test_the_policys_chunk_starts_from_where_the_arm_is(checkpoint: Checkpoint) -> None:
    """The same model output, asked for in a given pose, is that pose further on; the gripper's is where it was."""
    positions = ROBOT.home_rad + np.array([0.2, -0.1, 0.15, 0.05, -0.3, 0.1])
    frame = np.zeros((48, 64, 3), dtype=np.uint8)
    observation = Observation(0.0, {camera.name: frame for camera in ROBOT.cameras}, positions, "pick up the cube")
    plain = replace(checkpoint, processors=replace(checkpoint.processors, relative=None))
    found, absolute = (SmolVLAPolicy(each, ROBOT).infer(observation).positions for each in (checkpoint, plain))
    units = LeRobotUnits(ROBOT)
    further = units.from_radians(found) - units.from_radians(absolute)
    expected = np.where(OFFSETS.mask(6), units.from_radians(positions), 0.0)
    np.testing.assert_allclose(further, np.broadcast_to(expected, further.shape), atol=1e-4)
