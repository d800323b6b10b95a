"""The scripted policy on the simulated arm, with a graph's delays, and what it does when the world differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.interface import ObjectPose, Observation, PolicyRefusal
from smolvla_ros.policies.scripted import HORIZON, ScriptedPolicy
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.tasks import instructions
from smolvla_ros.simulation.trial import Loop, run_scene
from smolvla_ros.simulation.world import World

ROBOT = load_embodiment()
STEP_S = 1 / ROBOT.rates.policy_hz
TASK = "put the red cube in the blue box"
LEVEL = np.array([1.0, 0, 0, 0])
SCENE = {
    "red cube": ObjectPose(np.array([0.20, 0.04, 0.0125]), LEVEL),
    "blue cube": ObjectPose(np.array([0.20, -0.04, 0.0125]), LEVEL),
    "red box": ObjectPose(np.array([0.16, 0.155, 0.0]), LEVEL),
    "blue box": ObjectPose(np.array([0.16, -0.155, 0.0]), LEVEL),
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(ROBOT)


def at(stamp_s: float, **changes) -> Observation:
    """What is seen with the arm at home."""
    return replace(Observation(stamp_s, {}, ROBOT.home_rad, TASK, objects=SCENE), **changes)


def carry_out(world: World, seed: int, disturb_s: float, disturb: Callable[[Loop], str], held_s: float = 0.0) -> Loop:
    """One task, disturbed once; `disturb` returns the instruction from then on. Returns when it is done and home."""
    world.reset(seed)
    loop = Loop(world, ScriptedPolicy(ROBOT), ROBOT, np.random.default_rng(seed))
    instruction = TASK
    while loop.now_s < disturb_s:
        loop.advance(instruction)
    instruction = disturb(loop)
    while loop.now_s < 25.0:
        loop.advance(instruction, held=loop.now_s < disturb_s + held_s)
        if judge(world, instruction).done and np.abs(world.positions - ROBOT.home_rad).max() < 0.05:
            return loop
    pytest.fail(f"seed {seed}, disturbed at {disturb_s} s: {judge(world, instruction).message}")


@pytest.mark.parametrize("instruction", instructions(SCENE))
def test_unseen_scenes_are_done_and_the_arm_returns(world: World, instruction: str) -> None:
    outcomes = [run_scene(world, ScriptedPolicy(ROBOT), seed, instruction) for seed in range(400, 406)]
    assert [outcome.seed for outcome in outcomes if not outcome.success] == []


def test_rows_stay_within_limits_at_a_pace_that_every_joint_can_keep(world: World) -> None:
    policy = ScriptedPolicy(ROBOT)
    for start in range(4):
        chunk = policy.infer(at(start * HORIZON * STEP_S))  # the arm at home again: a new plan each time
        assert chunk.positions.shape == (HORIZON, 6)
        assert chunk.step_s == pytest.approx(STEP_S)
        assert np.all(chunk.positions >= ROBOT.lower_rad)
        assert np.all(chunk.positions <= ROBOT.upper_rad)
        velocity = np.diff(chunk.positions, axis=0) / STEP_S
        assert np.all(np.abs(velocity) < 0.65 * ROBOT.max_velocity_rad_s)
        assert np.all(np.abs(np.diff(velocity, axis=0)) / STEP_S < ROBOT.max_acceleration_rad_s2)


def test_chunks_for_the_same_time_agree_while_the_arm_follows() -> None:
    policy = ScriptedPolicy(ROBOT)
    first = policy.infer(at(100.0)).positions
    for rows in (1, 7, 12):
        later = policy.infer(at(100.0 + rows * STEP_S, positions=first[rows])).positions
        np.testing.assert_allclose(later[:-rows], first[rows:], atol=1e-9)


def test_a_new_plan_begins_with_what_is_being_executed() -> None:
    committed = ROBOT.home_rad + 0.01 * np.arange(9)[:, None] * np.array([1, 0.5, 0, 0, 0, 0])
    chunk = ScriptedPolicy(ROBOT).infer(at(50.0, committed=committed, committed_start_s=50.0, delay_rows=9))
    np.testing.assert_allclose(chunk.positions[:8], committed[:8], atol=1e-9)
    # and goes on at the same speed
    speed = np.diff(chunk.positions, axis=0)
    np.testing.assert_allclose(speed[8], speed[7], atol=0.004)


@pytest.mark.parametrize("disturb_s", [0.8, 1.7, 2.6, 3.4])
def test_a_policy_restarted_in_the_middle_finishes_the_task(world: World, disturb_s: float) -> None:
    def restart(loop: Loop) -> str:
        loop.policy = ScriptedPolicy(ROBOT)
        return TASK

    carry_out(world, 21, disturb_s, restart)


@pytest.mark.parametrize("disturb_s", [0.8, 2.0, 3.0])
def test_an_arm_held_for_two_seconds_takes_up_the_task_again(world: World, disturb_s: float) -> None:
    carry_out(world, 22, disturb_s, lambda loop: TASK, held_s=2.0)


@pytest.mark.parametrize("disturb_s", [0.6, 1.9, 2.7])
def test_a_cube_that_is_put_elsewhere_is_fetched_from_there(world: World, disturb_s: float) -> None:
    def move_cube(loop: Loop) -> str:
        joint = world.model.joint("red cube")
        place, motion = joint.qposadr[0], joint.dofadr[0]
        world.data.qpos[place : place + 7] = 0.19, -0.05, 0.0125, *LEVEL
        world.data.qvel[motion : motion + 6] = 0
        return TASK

    carry_out(world, 23, disturb_s, move_cube)


@pytest.mark.parametrize("disturb_s", [1.2, 2.4, 3.2])
def test_a_changed_instruction_is_followed_from_the_next_chunk(world: World, disturb_s: float) -> None:
    carry_out(world, 24, disturb_s, lambda loop: "put the blue cube in the red box")


def test_a_cube_that_lies_in_its_box_already_leaves_the_arm_at_home() -> None:
    done = {**SCENE, "red cube": ObjectPose(np.array([0.16, -0.155, 0.0145]), LEVEL)}
    chunk = ScriptedPolicy(ROBOT).infer(at(0.0, objects=done))
    np.testing.assert_allclose(chunk.positions, np.tile(ROBOT.home_rad, (HORIZON, 1)), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"instruction": "fold the towel"}, "put the red cube in the blue box.*found 'fold the towel'"),
        ({"instruction": "put the green cube in the red box"}, "no green cube in the scene, which has: blue box, blue"),
        ({"objects": None}, "is the simulator running"),
        (
            {"objects": {**SCENE, "red cube": ObjectPose(np.array([0.5, 0.0, 0.0125]), LEVEL)}},
            r"out of reach: \(0.5.*the fingers reach 0.13 to 0.30 m",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(changes: dict, told: str) -> None:
    with pytest.raises(PolicyRefusal, match=told):
        ScriptedPolicy(ROBOT).infer(at(0.0, **changes))
