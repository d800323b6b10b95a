from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.interface import Chunk, Observation
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.demonstrations import OLDEST_IMAGE, Demonstrator, Moment
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.learned_mover import LearnedMover

ROBOT = load_embodiment()


class Looking(ScriptedPolicy):
    """The scripted policy, asked as a learned one is. Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(ROBOT)
        self.shown: list[Observation] = []

    def infer(self, observation: Observation) -> Chunk:
        self.shown.append(observation)
        return super().infer(observation)


@pytest.fixture(scope="module")
def moved() -> tuple[Demonstrator, Looking, list[Moment], list[tuple[float, int]]]:
    demonstrator, policy, looks = Demonstrator(ROBOT, every=4), Looking(), []

    def look(frames_ago: int) -> dict[str, np.ndarray]:
        looks.append((demonstrator.past[-1 - frames_ago][0], frames_ago))
        return {}

    demonstrator.mover = LearnedMover(policy, ROBOT, look)
    for seed in range(100):  # one in which the instruction changes
        policy.shown.clear()
        looks.clear()
        moments = demonstrator.demonstrate(seed)
        if len({seen.instruction for seen in policy.shown}) == 2:
            return demonstrator, policy, moments, looks
    raise AssertionError("no episode with two instructions")


def test_what_the_policy_wants_is_done(moved) -> None:
    demonstrator, policy, moments, _ = moved
    assert judge(demonstrator.world, moments[-1].asked.instruction).done
    assert policy.shown[-1].instruction == moments[-1].asked.instruction


def test_images_are_of_frames_before_and_the_stamp_is_theirs(moved) -> None:
    _, policy, _, looks = moved
    ages = [age for _, age in looks]
    assert set(ages) <= set(range(OLDEST_IMAGE + 1))
    assert len(set(ages)) > 1
    times = [seen.stamp_s + age / ROBOT.rates.policy_hz for seen, age in zip(policy.shown, ages, strict=True)]
    frames = np.array(times) * ROBOT.rates.policy_hz
    np.testing.assert_allclose(frames, np.rint(frames), atol=1e-6)
    assert (np.diff(frames) > 0).all()


def test_the_executor_asks_long_before_its_queue_is_empty(moved) -> None:
    _, policy, _, _ = moved
    between = np.diff([seen.stamp_s for seen in policy.shown])
    assert 0.2 < np.median(between) < 0.6


def test_the_arm_keeps_to_its_limits_of_speed(moved) -> None:
    _, _, moments, _ = moved
    times = np.array([moment.time_s for moment in moments])
    speed = np.abs(np.diff([moment.positions for moment in moments], axis=0)) / np.diff(times)[:, None]
    assert (speed <= 1.2 * np.array(ROBOT.max_velocity_rad_s)).all()
    assert speed.max() > 0.3
