"""The scripted policy: its chunks as arrays, then the arm that follows them in physics."""

from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.interface import Chunk, ObjectPose, Observation, PolicyRefusal
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.simulation.judge import judge
from smolvla_ros.simulation.kinematics import GRIPPER
from smolvla_ros.simulation.so100 import SO100
from smolvla_ros.simulation.tasks import instructions
from smolvla_ros.simulation.trial import Loop, run_scene
from smolvla_ros.simulation.world import World

ROBOT = load_embodiment()
STEP_S = 1 / ROBOT.rates.policy_hz
RED_IN_BLUE = "put the red cube in the blue box"
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def scene(**moved: tuple[float, float, float]) -> dict[str, ObjectPose]:
    places = {
        "red_cube": (0.20, 0.04, 0.0125),
        "blue_cube": (0.20, -0.05, 0.0125),
        "red_box": (0.16, 0.155, 0.0),
        "blue_box": (0.16, -0.155, 0.0),
    }
    return {name.replace("_", " "): ObjectPose(np.array(at), UPRIGHT) for name, at in {**places, **moved}.items()}


def look(stamp_s=0.0, positions=ROBOT.home_rad, objects=None, instruction=RED_IN_BLUE, **more) -> Observation:
    return Observation(stamp_s, {}, np.array(positions), instruction, objects=objects or scene(), **more)


def rehearse(policy: ScriptedPolicy, seconds: float, every_s: float = 0.5) -> np.ndarray:
    """Rows (n, 6) from chunks asked for in turn, by an arm that follows them exactly until it would hold the cube."""
    rows, positions = [], ROBOT.home_rad
    for stamp_s in np.arange(0.0, seconds, every_s):
        chunk = policy.infer(look(stamp_s, positions))
        used = round(every_s / STEP_S)
        rows.append(chunk.positions[:used])
        positions = chunk.positions[used]
    return np.concatenate(rows)


# --- chunks -----------------------------------------------------------------------------------------------------------


def test_a_chunk_is_fifty_rows_at_the_policys_rate_and_starts_where_the_arm_is():
    policy = ScriptedPolicy(ROBOT)
    start = ROBOT.home_rad + 0.1
    chunk = policy.infer(look(positions=start))
    assert chunk.positions.shape == (50, 6)
    assert chunk.step_s == pytest.approx(STEP_S)
    np.testing.assert_allclose(chunk.positions[0], start, atol=1e-6)
    assert policy.cameras == ()
    assert policy.needs_objects


def test_chunks_for_the_same_time_agree_however_late_they_are_asked_for():
    policy = ScriptedPolicy(ROBOT)
    first = policy.infer(look(3.0))
    for rows in (1, 7, 20):
        later = policy.infer(look(3.0 + rows * STEP_S, first.positions[max(0, rows - 3)]))
        np.testing.assert_allclose(later.positions[: 50 - rows], first.positions[rows:], atol=1e-9)


def test_measuring_in_whole_ticks_changes_no_row():
    exact, coarse = ScriptedPolicy(ROBOT), ScriptedPolicy(ROBOT)
    tick = 2 * np.pi / 4096
    exact_rows, coarse_rows = exact.infer(look()).positions, coarse.infer(look()).positions
    for k in (10, 20):
        measured = np.round(coarse_rows[k] / tick) * tick
        following = coarse.infer(look(k * STEP_S, measured)).positions
        np.testing.assert_allclose(following[: 50 - k], exact_rows[k:], atol=1e-9)


@pytest.mark.parametrize("instruction", instructions(scene()))
def test_speed_and_acceleration_keep_a_margin_below_the_embodiments_limits(instruction):
    policy = ScriptedPolicy(ROBOT)
    policy.infer(look(instruction=instruction))
    times_s = np.arange(0.0, 8.0, 0.01)
    positions = policy._plan.motion.positions(times_s)
    speed = np.abs(np.diff(positions, axis=0)) / 0.01
    acceleration = np.abs(np.diff(positions, n=2, axis=0)) / 0.01**2
    assert (speed <= 0.61 * ROBOT.max_velocity_rad_s).all()
    assert (acceleration <= 0.8 * ROBOT.max_acceleration_rad_s2).all()
    assert (positions >= ROBOT.lower_rad).all()
    assert (positions <= ROBOT.upper_rad).all()
    assert 4.0 < policy._plan.motion.end_s < 6.5


def test_the_fingers_close_on_the_named_cube_only():
    rows = rehearse(ScriptedPolicy(ROBOT), 2.0)
    lowest = rows[np.argmin([SO100.kinematics.pinch_point(row)[2] for row in rows])]
    assert np.linalg.norm(SO100.kinematics.pinch_point(lowest)[:2] - scene()["red cube"].position[:2]) < 0.015


@pytest.mark.parametrize("delay", [1, 2, 8])
def test_a_plan_made_in_motion_continues_the_rows_that_are_being_executed(delay):
    policy = ScriptedPolicy(ROBOT)
    first = policy.infer(look())
    asked = 18
    committed = first.positions[asked : asked + delay]
    following = policy.infer(
        look(
            asked * STEP_S,
            first.positions[asked - 2],
            scene(red_cube=(0.22, -0.01, 0.0125), blue_cube=(0.16, 0.06, 0.0125)),
            committed=committed,
            committed_start_s=asked * STEP_S,
            delay_rows=delay,
        )
    )
    np.testing.assert_allclose(following.positions[:delay], committed, atol=1e-9)
    steps = np.diff(np.concatenate([first.positions[:asked], following.positions]), axis=0)
    assert (np.abs(steps) < 0.62 * ROBOT.max_velocity_rad_s * STEP_S).all()
    # no jolt at the seam: from row to row the speed changes as little as within a plan
    assert (np.abs(np.diff(steps, axis=0)) < 0.6 * ROBOT.max_acceleration_rad_s2 * STEP_S**2).all()
    assert np.abs(following.positions[-1] - first.positions[-1]).max() > 0.1


def test_rows_behind_those_executed_meanwhile_are_no_part_of_the_way():
    """Only the first delay_rows will be executed; what is queued behind them is for a cube that is elsewhere now."""
    policy = ScriptedPolicy(ROBOT)
    first = policy.infer(look())
    moved = scene(red_cube=(0.22, -0.01, 0.0125), blue_cube=(0.16, 0.06, 0.0125))

    def following(rows: int) -> np.ndarray:
        queued = {"committed": first.positions[18 : 18 + rows], "committed_start_s": 18 * STEP_S, "delay_rows": 8}
        return ScriptedPolicy(ROBOT).infer(look(18 * STEP_S, first.positions[16], moved, **queued)).positions

    np.testing.assert_allclose(following(30), following(8), atol=1e-9)


def test_a_cube_that_lies_in_its_box_needs_only_the_way_home():
    done = scene(red_cube=(0.165, -0.150, 0.0145))
    policy = ScriptedPolicy(ROBOT)
    at_home = policy.infer(look(objects=done)).positions
    np.testing.assert_allclose(at_home, np.tile(ROBOT.home_rad, (50, 1)), atol=1e-6)
    policy.reset()
    away = ROBOT.home_rad + np.array([0.4, 0.2, -0.1, 0.0, 0.3, 0.2])
    np.testing.assert_allclose(
        policy.infer(look(positions=away, objects=done)).positions[-1], ROBOT.home_rad, atol=2e-3
    )


def test_reset_forgets_the_plan():
    policy = ScriptedPolicy(ROBOT)
    policy.infer(look())
    policy.reset()
    start = ROBOT.home_rad + 0.1
    np.testing.assert_allclose(policy.infer(look(1.0, start)).positions[0], start, atol=1e-6)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (look(instruction="make me a coffee"), ["make me a coffee", "put the red cube in the blue box"]),
        (look(instruction="put the green cube in the red box"), ["no green cube", "blue box, blue cube, red box"]),
        (look(instruction="put the red cube in the yellow box"), ["no yellow box", "red cube"]),
        (Observation(0.0, {}, ROBOT.home_rad, RED_IN_BLUE), ["object poses", "simulator", "checkpoint"]),
        (
            look(objects=scene(red_cube=(0.5, 0.1, 0.0125))),
            ["out of reach is the cube at (0.500, 0.100", "0.13 to 0.30 m"],
        ),
        (look(objects=scene(blue_box=(-0.4, 0.0, 0.0))), ["out of reach is the box at (-0.400, 0.000"]),
    ],
)
def test_a_refusal_says_what_was_wrong_and_what_is_known(observation, expected):
    with pytest.raises(PolicyRefusal) as refusal:
        ScriptedPolicy(ROBOT).infer(observation)
    for words in expected:
        assert words in str(refusal.value)


# --- in physics -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return World(ROBOT)


def put(world: World, name: str, at: tuple[float, float, float]) -> None:
    world.place(world.positions, {name: np.array([*at, *UPRIGHT])})


@pytest.mark.parametrize("number", range(4))
def test_each_cube_gets_into_each_box_in_physics(world, number):
    instruction = instructions(world.objects())[number]
    outcome = run_scene(world, ScriptedPolicy(ROBOT), seed=40 + number, instruction=instruction)
    assert outcome.success, judge(world, instruction).message
    assert outcome.duration_s < 15.0


def test_a_wrist_that_stays_as_it_is_turns_the_cube_between_the_fingers(world):
    outcome = run_scene(world, ScriptedPolicy(ROBOT, along_sides=False), seed=46, instruction=RED_IN_BLUE)
    assert outcome.success, judge(world, RED_IN_BLUE).message
    rolls = [
        float(np.ptp(ScriptedPolicy(ROBOT, along_sides=along).infer(seen_at_rest(world, seed)).positions[:, 4]))
        for along in (False, True)
        for seed in (46, 47, 48)
    ]
    assert max(rolls[:3]) < 0.02 < max(rolls[3:])


def seen_at_rest(world: World, seed: int) -> Observation:
    world.reset(seed)
    return Observation(0.0, {}, world.positions, RED_IN_BLUE, objects=world.objects())


def until_done(world: World, loop: Loop, instruction: str, limit_s: float = 25.0) -> bool:
    while loop.now_s < limit_s:
        loop.advance(instruction)
        if judge(world, instruction).done and np.abs(world.positions - ROBOT.home_rad).max() < 0.05:
            return True
    return False


def started(world: World, seconds: float, instruction: str = RED_IN_BLUE, seed: int = 11) -> Loop:
    world.reset(seed)
    loop = Loop(world, ScriptedPolicy(ROBOT), ROBOT, np.random.default_rng(seed))
    while loop.now_s < seconds:
        loop.advance(instruction)
    return loop


@pytest.mark.parametrize("seconds", [0.8, 1.6, 2.8, 3.4], ids=["approach", "closing", "carried", "over the box"])
def test_a_cube_that_was_moved_is_picked_again(world, seconds):
    loop = started(world, seconds)
    put(world, "red cube", (0.23, 0.0, 0.0125))
    assert until_done(world, loop, RED_IN_BLUE)


@pytest.mark.parametrize("seconds", [1.0, 1.8, 2.8], ids=["approach", "closing", "carried"])
def test_an_arm_that_was_held_goes_on_from_where_it_is(world, seconds):
    loop = started(world, seconds)
    for _ in range(200):
        loop.advance(RED_IN_BLUE, held=True)
    assert until_done(world, loop, RED_IN_BLUE)


def test_a_policy_restarted_with_the_cube_in_its_fingers_carries_on(world):
    loop = started(world, 2.8)
    assert world.objects()["red cube"].position[2] > 0.03
    loop.policy.reset()
    assert until_done(world, loop, RED_IN_BLUE, limit_s=7.0)


@pytest.mark.parametrize("box", ["red box", "blue box"])
@pytest.mark.parametrize("seconds", [2.2, 2.5, 2.8])
def test_another_cube_named_midway_is_picked_instead_and_the_first_laid_where_there_is_room(world, seconds, box):
    loop = started(world, seconds)
    assert until_done(world, loop, f"put the blue cube in the {box}", limit_s=12.0)
    assert not world.touched_by_arm("red cube")
    objects = world.objects()
    apart = [np.linalg.norm((objects["red cube"].position - objects[name].position)[:2]) for name in objects]
    assert sorted(apart)[1] > 0.07


@pytest.mark.parametrize("seed", [0, 2, 4, 11])
def test_both_cubes_find_room_in_one_box_at_the_first_try(world, seed):
    loop = started(world, 0.1, seed=seed)
    assert until_done(world, loop, RED_IN_BLUE)
    assert until_done(world, loop, "put the blue cube in the blue box", limit_s=loop.now_s + 8.0)
    assert judge(world, RED_IN_BLUE).done


def test_who_goes_on_does_the_task_with_a_new_plan_for_every_chunk() -> None:
    """What it does follows from what can be seen alone, so that its chunks can be labels of any moment."""

    class Forgetful(ScriptedPolicy):
        def infer(self, observation: Observation) -> Chunk:
            self.reset()
            return super().infer(observation)

    for goes_on in (True, False):
        world = World(ROBOT)
        policy = Forgetful(ROBOT, along_sides=False, goes_on=goes_on)
        assert run_scene(world, policy, seed=5001, instruction=RED_IN_BLUE).success == goes_on


@pytest.mark.parametrize("height_m", [0.05, 0.07])
def test_who_goes_on_lowers_a_cube_that_is_over_its_box_and_does_not_raise_it_again(height_m: float) -> None:
    arm = SO100.kinematics
    over = arm.joint_positions(arm.downward_pose(np.array([0.165, -0.155, height_m]), 0.0, 0.13))
    held = scene(red_cube=tuple(arm.pinch_point(over)))
    rows = ScriptedPolicy(ROBOT, along_sides=False, goes_on=True).infer(look(positions=over, objects=held)).positions
    released = int(np.argmax(rows[:, GRIPPER] > 0.3))
    heights = [arm.pinch_point(row)[2] for row in rows[: released + 1]]
    assert 0 < released < 30
    assert max(heights) < height_m + 1e-3
    assert heights[-1] < 0.058
