from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.scene import BOX_INNER_M, CUBE_APART_M, CUBE_EDGE_M, CUBE_RADIUS
from smolvla_ros.simulation.so100 import SO100
from smolvla_ros.simulation.world import UnknownTask, World

ROBOT = load_embodiment()
ON = np.ones(6, dtype=bool)
HOVER = np.array([0.0, 1.5, -1.2, 0.6, 0.0, 0.55])  # fingers well above the table


@pytest.fixture
def world() -> World:
    return World(ROBOT)


def steps(seconds: float) -> int:
    return round(seconds / World.timestep_s)


@pytest.mark.parametrize("goal", [ROBOT.home_rad, HOVER, np.array([1.2, 1.2, -0.8, 0.2, 1.0, 1.0])])
def test_servos_reach_their_goal_under_gravity_within_twenty_milliradians(world: World, goal: np.ndarray) -> None:
    world.set_setpoints(goal, ON)
    world.step(steps(2.0))
    np.testing.assert_allclose(world.positions, goal, atol=0.02)
    np.testing.assert_allclose(world.velocities, 0, atol=0.01)


def test_without_torque_the_arm_falls(world: World) -> None:
    world.set_setpoints(HOVER, ON)
    world.step(steps(2.0))
    before = SO100.kinematics.pinch_point(world.positions)[2]
    world.set_setpoints(HOVER, np.zeros(6, dtype=bool))
    world.step(steps(1.0))
    assert SO100.kinematics.pinch_point(world.positions)[2] < before - 0.02


def test_servos_that_may_give_too_little_torque_let_the_arm_sink(world: World) -> None:
    world.set_setpoints(HOVER, ON)
    world.step(steps(2.0))
    before = SO100.kinematics.pinch_point(world.positions)[2]
    world.set_setpoints(HOVER, ON, np.full(6, 0.002))
    world.step(steps(1.0))
    assert SO100.kinematics.pinch_point(world.positions)[2] < before - 0.02
    assert np.abs(world.loads).max() <= 0.002 + 1e-9


def test_closed_fingers_hold_a_cube_while_it_is_carried_and_press_no_harder_than_the_embodiment_says(
    world: World,
) -> None:
    world.step(1)
    open_hand, lifted = HOVER.copy(), HOVER.copy()
    world.place(open_hand, {})
    grip = SO100.kinematics.pinch_point(open_hand)
    # between the fingers and turned with the hand, as a grasp leaves it
    jaw = world.data.body("Fixed_Jaw")
    world.place(open_hand, {"red cube": np.concatenate([grip, jaw.xquat])})
    closed = open_hand.copy()
    closed[5] = -0.15
    world.set_setpoints(closed, ON)
    gravity = world.model.opt.gravity.copy()
    world.model.opt.gravity[:] = 0  # until the fingers have closed
    world.step(steps(0.4))
    world.model.opt.gravity[:] = gravity
    lifted[[0, 1, 5]] = 0.6, 1.2, -0.15
    for share in np.linspace(0, 1, 60):
        world.set_setpoints(closed + share * (lifted - closed), ON)
        world.step(steps(1 / 30))
    world.step(steps(0.5))
    away = world.objects()["red cube"].position - SO100.kinematics.pinch_point(world.positions)
    assert np.linalg.norm(away) < 0.02
    assert world.touched_by_arm("red cube")
    assert ROBOT.joints[5].torque_limit == 0.5  # from 0.8 on a servo of the maker's settings protects itself
    assert abs(world.loads[5]) == pytest.approx(0.5)


def test_a_seed_makes_the_same_scene_and_another_seed_another(world: World) -> None:
    def scene(seed: int) -> np.ndarray:
        world.reset(seed)
        return np.concatenate([pose.position for pose in world.objects().values()])

    first = scene(5)
    assert not np.allclose(scene(6), first, atol=1e-3)
    np.testing.assert_array_equal(scene(5), first)


def test_every_scene_has_its_cubes_in_reach_and_apart(world: World) -> None:
    for seed in range(30):
        world.reset(seed)
        objects = world.objects()
        cubes = [objects[name].position for name in ("red cube", "blue cube")]
        for cube in cubes:
            assert CUBE_RADIUS[0] - 0.002 < np.hypot(*cube[:2]) < CUBE_RADIUS[1] + 0.002
            assert cube[2] == pytest.approx(CUBE_EDGE_M / 2, abs=1e-3)
        assert np.linalg.norm(cubes[0] - cubes[1]) > CUBE_APART_M - 0.002
        for box in ("red box", "blue box"):
            assert abs(objects[box].position[1]) > BOX_INNER_M / 2 + CUBE_EDGE_M


def test_a_reset_around_the_arm_leaves_it_where_its_servos_hold_it(world: World) -> None:
    world.set_setpoints(HOVER, ON)
    world.step(steps(2.0))
    world.reset(9, keep_arm=True)
    np.testing.assert_allclose(world.positions, HOVER, atol=0.02)
    world.step(steps(0.5))
    np.testing.assert_allclose(world.positions, HOVER, atol=0.02)


def test_a_reset_tells_which_cube_the_arm_has_pushed_away(world: World) -> None:
    assert world.reset(4, keep_arm=True) == []
    spot = world.objects()["blue cube"].position
    fist = SO100.kinematics.joint_positions(SO100.kinematics.downward_pose(spot, jaw_yaw_rad=1.0, gripper_rad=0.0))
    world.place(fist, {})
    world.set_setpoints(fist, ON)
    assert world.reset(4, keep_arm=True) == ["blue cube"]


def test_an_unknown_task_is_told_with_those_there_are(world: World) -> None:
    with pytest.raises(UnknownTask, match="expected one of pick_and_place, stacking, sorting, found 'juggle'"):
        world.reset(0, "juggle")
