"""A frame that has not changed is not encoded again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.frame_memory import FrameMemory
from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.smolvla import SmolVLAPolicy

BLACK, WHITE = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)


def test_only_the_same_camera_s_same_frame_is_known() -> None:
    memory, tokens = FrameMemory(), torch.ones(1, 2, 3)
    memory.keep({"top": BLACK}, [tokens])
    assert memory.known({"top": BLACK.copy(), "wrist": BLACK}) == [tokens, None]
    assert memory.known({"top": WHITE}) == [None]
    assert memory.known({"top": BLACK[:2]}) == [None]


def test_a_frame_that_its_owner_overwrites_is_not_known_any_more() -> None:
    memory, frame = FrameMemory(), BLACK.copy()
    memory.keep({"top": frame}, [torch.ones(1, 2, 3)])
    frame[:] = 255
    assert memory.known({"top": frame}) == [None]


def test_the_policy_encodes_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = load_embodiment()
    policy, fresh = (SmolVLAPolicy(random_checkpoint(robot, "tiny"), robot) for _ in range(2))
    flow, encoded = policy.checkpoint.model.model, []
    embed = flow.embed_images
    monkeypatch.setattr(flow, "embed_images", lambda images: encoded.append(len(images)) or embed(images))
    random = np.random.default_rng(0)
    frames = {c.name: random.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in robot.cameras}

    def look(images: dict[str, np.ndarray]) -> Observation:
        return Observation(0.0, images, robot.home_rad, "pick up the red cube")

    policy.infer(look(frames))
    policy.infer(look(frames))
    moved = {**frames, "wrist": frames["wrist"][::-1].copy()}
    again = policy.infer(look(moved))
    assert encoded == [2, 1]
    for images in (frames, frames, moved):  # the same draws of noise
        expected = fresh.infer(look(images))
    np.testing.assert_allclose(again.positions, expected.positions, atol=1e-6)
