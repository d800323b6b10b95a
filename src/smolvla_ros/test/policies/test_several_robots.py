"""One checkpoint for several arms: a batch gives each what it would have got alone, and no trouble of another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines.choice import ENGINES
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.interface import Chunk, ObjectPose, Observation, PolicyRefusal
from smolvla_ros.policies.sampler_settings import SamplerSettings
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.policies.smolvla import SmolVLAPolicy

ROBOT = load_embodiment()
INSTRUCTIONS = ("put the red cube in the blue box", "go home", "pick up the green cube", "wipe the table")


def policies(count: int, chunking: str = "off", engine: str = "torch") -> list[SmolVLAPolicy]:
    checkpoint = random_checkpoint(ROBOT, "tiny", seed=1)
    if chunking == "trained":
        config = replace(checkpoint.config, rtc_training_max_delay=6)
        checkpoint.model.config = checkpoint.model.model.config = config
    ENGINES[engine].prepare(checkpoint.model)
    first = SmolVLAPolicy(checkpoint, ROBOT, sampler=SamplerSettings(seed=3, real_time_chunking=chunking))
    return [first, *(first.for_another_robot(ROBOT) for _ in range(count - 1))]


def observations(count: int) -> list[Observation]:
    """Each arm with its own images, pose, words, and rows under way; the second has none."""
    random = np.random.default_rng(0)
    seen = []
    for number in range(count):
        images = {c.name: random.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in ROBOT.cameras}
        rows = ROBOT.home_rad + 0.1 * np.sin(np.arange(12) / 4 + number)[:, None]
        under_way = {} if number == 1 else {"committed": rows, "delay_rows": 3 + number % 3}
        seen.append(Observation(0.0, images, ROBOT.home_rad + 0.05 * number, INSTRUCTIONS[number % 4], **under_way))
    return seen


def rows(answer: Chunk | Exception) -> np.ndarray:
    assert isinstance(answer, Chunk), answer
    return answer.positions


def together(robots: Sequence[SmolVLAPolicy], seen: Sequence[Observation]) -> list[Chunk | Exception]:
    return SmolVLAPolicy.infer_together(list(zip(robots, seen, strict=True)))


@pytest.mark.parametrize("chunking", ["off", "guided", "trained"])
def test_a_batch_gives_each_arm_the_chunks_that_it_gets_alone(chunking: str) -> None:
    batched, alone = policies(4, chunking), policies(4, chunking)
    for turn in range(2):  # the second with frames that are remembered, and the next noise
        seen = observations(4)
        if turn:
            seen[2] = replace(seen[2], images={**seen[2].images, "top": seen[0].images["top"]})
        for answer, robot, observation in zip(together(batched, seen), alone, seen, strict=True):
            np.testing.assert_allclose(rows(answer), robot.infer(observation).positions, atol=2e-5)


@pytest.mark.parametrize("engine", ["cpu-fp32", "cpu-bf16", "cpu-int8"])
def test_engines_take_batches(engine: str) -> None:
    """As close to the single chunk as the engine's own numbers are fine."""
    seen = observations(3)
    alone = [robot.infer(each).positions for robot, each in zip(policies(3, engine=engine), seen, strict=True)]
    for answer, expected in zip(together(policies(3, engine=engine), seen), alone, strict=True):
        np.testing.assert_allclose(rows(answer), expected, atol=2e-5 if engine == "cpu-fp32" else 0.03)


def test_one_arm_s_refusal_leaves_the_others_their_chunks() -> None:
    seen = observations(3)
    expected = [rows(answer) for answer in together(policies(3), seen)]
    seen[1] = replace(seen[1], instruction=" ")
    answers = together(policies(3), seen)
    assert isinstance(answers[1], PolicyRefusal)
    for number in (0, 2):
        np.testing.assert_allclose(rows(answers[number]), expected[number], atol=2e-5)


def test_a_batch_that_fails_is_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a GPU's memory does not hold it; the one that fails alone too is told why."""
    robots, alone, seen = policies(3), policies(3), observations(3)
    flow = robots[0].checkpoint.model.model
    remember = flow.remember

    def too_little_memory(inputs, *tokens):
        if len(inputs.state) > 1 or np.isclose(float(inputs.state[0, 0]), unlucky):
            raise RuntimeError("out of memory")
        return remember(inputs, *tokens)

    unlucky = float(robots[1]._prepare(seen[1]).inputs.state[0, 0])
    robots[1].reset()
    seen[0] = replace(seen[0], positions=ROBOT.home_rad + 0.2)
    monkeypatch.setattr(flow, "remember", too_little_memory)
    answers = together(robots, seen)
    assert str(answers[1]) == "out of memory"
    for number in (0, 2):
        np.testing.assert_allclose(rows(answers[number]), alone[number].infer(seen[number]).positions, atol=2e-5)


def test_each_arm_has_its_own_calibration() -> None:
    gripper = replace(ROBOT.joints[5], range_ticks=(1200, 2900))
    recalibrated = replace(ROBOT, joints=(*ROBOT.joints[:5], gripper))
    first, (seen, *_) = policies(1)[0], observations(1)
    other = first.for_another_robot(recalibrated)
    answers = SmolVLAPolicy.infer_together([(first, seen), (other, seen)])
    alone = SmolVLAPolicy(first.checkpoint, recalibrated, sampler=SamplerSettings(seed=3)).infer(seen)
    np.testing.assert_allclose(rows(answers[1]), alone.positions, atol=2e-5)
    assert np.abs(rows(answers[1]) - rows(answers[0])).max() > 0.01


def test_a_reset_of_one_arm_leaves_the_others_noise_alone() -> None:
    robots, seen = policies(2), observations(2)
    first = together(robots, seen)
    robots[0].reset()
    second = together(robots, seen)
    np.testing.assert_allclose(rows(second[0]), rows(first[0]), atol=2e-5)
    assert np.abs(rows(second[1]) - rows(first[1])).max() > 1e-3


def test_scripted_arms_have_plans_of_their_own() -> None:
    first = ScriptedPolicy(ROBOT)
    here = np.array([1.0, 0.0, 0.0, 0.0])
    objects = {
        "red cube": ObjectPose(np.array([0.20, 0.04, 0.0125]), here),
        "blue box": ObjectPose(np.array([0.16, -0.155, 0.0]), here),
    }
    seen = Observation(0.0, {}, ROBOT.home_rad, INSTRUCTIONS[0], objects=objects)
    other = first.for_another_robot(ROBOT)
    answers = ScriptedPolicy.infer_together([(first, seen), (other, replace(seen, instruction="fold"))])
    assert isinstance(answers[0], Chunk), answers[0]
    assert isinstance(answers[1], PolicyRefusal)
