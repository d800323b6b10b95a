from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.so100 import SO100
from smolvla_ros.simulation.world import World

TASK = "put the red cube in the blue box"
LEVEL = np.array([1.0, 0, 0, 0])


@pytest.fixture
def world() -> World:
    world = World(load_embodiment())
    world.reset(3)
    return world


def drop(world: World, box: str, height_m: float, seconds: float) -> None:
    """Lets the red cube fall into a box."""
    place = world.objects()[box].position + np.array([0, 0, height_m])
    world.place(world.positions, {"red cube": np.concatenate([place, LEVEL])})
    world.data.qvel[:] = 0
    world.step(round(seconds / World.timestep_s))


def test_a_cube_at_rest_in_its_box_is_done(world: World) -> None:
    assert not judge(world, TASK).done
    drop(world, "blue box", 0.03, 1.0)
    verdict = judge(world, TASK)
    assert (verdict.understood, verdict.done) == (True, True), verdict.message


def test_the_wrong_box_or_the_wrong_cube_is_not_done(world: World) -> None:
    drop(world, "red box", 0.03, 1.0)
    assert not judge(world, TASK).done
    assert judge(world, "put the red cube in the red box").done
    assert not judge(world, "put the blue cube in the red box").done


def test_a_cube_that_still_falls_is_not_done(world: World) -> None:
    drop(world, "blue box", 0.06, 0.05)
    assert not judge(world, TASK).done


def test_a_cube_that_a_finger_touches_is_not_done(world: World) -> None:
    positions = np.array([0.0, 1.9, -1.2, 0.6, 0.0, 0.0])
    world.place(positions, {"red cube": np.concatenate([SO100.kinematics.pinch_point(positions), LEVEL])})
    assert world.touched_by_arm("red cube")
    world.place(positions, {"red cube": np.concatenate([np.array([0.3, 0.3, 0.0125]), LEVEL])})
    assert not world.touched_by_arm("red cube")


def test_what_is_not_of_this_scene_is_not_understood(world: World) -> None:
    for words in ("sing", "put the green cube in the red box"):
        verdict = judge(world, words)
        assert not verdict.understood
        assert verdict.message


def test_a_cube_on_the_named_cube_is_stacked_and_beside_it_is_not(world: World) -> None:
    base = world.objects()["blue cube"].position
    on_top, beside = base + np.array([0.002, 0, 0.025]), base + np.array([0.027, 0, 0])
    for place, done in ((on_top, True), (beside, False)):
        world.place(world.positions, {"red cube": np.concatenate([place, LEVEL])})
        world.data.qvel[:] = 0
        world.step(120)
        assert judge(world, "stack the red cube on the blue cube").done is done
    assert not judge(world, "stack the blue cube on the red cube").done


def test_sorting_is_done_when_both_cubes_are(world: World) -> None:
    drop(world, "red box", 0.03, 0.5)
    verdict = judge(world, "sort the cubes by colour")
    assert (verdict.understood, verdict.done) == (True, False)
    assert "blue cube" in verdict.message
    place = world.objects()["blue box"].position + np.array([0, 0, 0.03])
    world.place(world.positions, {"blue cube": np.concatenate([place, LEVEL])})
    world.data.qvel[:] = 0
    world.step(480)
    assert judge(world, "sort the cubes by colour").done
