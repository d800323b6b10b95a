"""`so100 teleop`: two virtual arms, the leader moved by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from so100_hardware.arm_file import ArmFile, load_arm_file
from so100_hardware.calibration import Calibration, JointCalibration, save_calibration
from so100_hardware.workshop.teleoperation import LeaderFollower

from so100_hardware import VirtualBus

Run = Callable[..., tuple[int, str]]
BASE = Path(__file__).parents[4] / "config" / "so100.yaml"
START = (2047.0, 1500.0, 2500.0, 2000.0, 2047.0, 1500.0)
POSE = (1800.0, 1900.0, 2100.0, 2300.0, 2500.0, 2000.0)


@pytest.fixture(scope="module")
def arm() -> ArmFile:
    return load_arm_file(BASE)


@pytest.fixture
def leader() -> Iterator[VirtualBus]:
    with VirtualBus(start_ticks=START) as bus:
        for servo_id in range(1, 7):
            bus.set(servo_id, "return_delay_time", 0)
        yield bus


@pytest.fixture
def follower(virtual: VirtualBus) -> VirtualBus:
    """Its shafts are where its servos want them, at once."""
    virtual.exchange(START, [0.0] * 6, [0.0] * 6, 0.0)
    return virtual


def goals(bus: VirtualBus) -> list[int]:
    return [bus.get(servo_id, "goal_position") for servo_id in range(1, 7)]


def move(bus: VirtualBus, to: tuple[float, ...]) -> None:
    bus.exchange(to, [0.0] * 6, [0.0] * 6, 0.0)


class Played:
    """What happens in a run: at each look for Enter both arms are moved, and the follower's goals are noted."""

    def __init__(
        self, leader: VirtualBus, follower: VirtualBus, cycles: int, at: dict[int, Callable[[], None]]
    ) -> None:
        self.leader, self.follower = leader, follower
        self.goals: list[list[int]] = []
        self.steps = [lambda i=i: self._step(i, at) for i in range(cycles)]

    def _step(self, i: int, at: dict[int, Callable[[], None]]) -> None:
        self.goals.append(goals(self.follower))
        if i:  # the servos follow their goals without delay
            move(self.follower, tuple(float(g) for g in self.goals[-1]))
        if i in at:
            at[i]()


@pytest.fixture
def teleop(so100: Run, leader: VirtualBus, follower: VirtualBus, make_console):
    def run(
        cycles: int, *words: object, at: dict[int, Callable[[], None]] | None = None
    ) -> tuple[int, str, np.ndarray]:
        played = Played(leader, follower, cycles, at or {})
        ports = ("--leader", leader.port, "--follower", follower.port)
        files = ("--leader-arm", BASE, "--follower-arm", BASE)
        code, said = so100("teleop", *ports, *files, *words, console=make_console([], played.steps))
        return code, said, np.array(played.goals)

    return run


def test_the_follower_comes_to_the_leader_s_pose_and_follows_it(teleop, leader: VirtualBus) -> None:
    move(leader, POSE)
    second = tuple(p + 100.0 for p in POSE)
    code, said, seen = teleop(300, at={150: lambda: move(leader, second)})
    assert code == 0, said
    np.testing.assert_allclose(seen[149], POSE, atol=1)
    np.testing.assert_allclose(seen[-1], second, atol=1)


def test_no_goal_moves_faster_than_the_slew_limit(teleop, leader: VirtualBus) -> None:
    move(leader, POSE)
    _, _, seen = teleop(300, "--slew", "1.0", "--rate", "50")
    assert np.abs(np.diff(seen, axis=0)).max() <= 1.0 / 50 * 4096 / (2 * math.pi) + 1
    np.testing.assert_allclose(seen[-1], POSE, atol=1)


def test_torque_comes_on_with_the_goals_at_the_positions(teleop, leader: VirtualBus, follower: VirtualBus) -> None:
    move(leader, POSE)
    torque = []
    _, _, seen = teleop(3, at={0: lambda: torque.append(follower.get(1, "torque_enable"))})
    assert torque == [1]
    np.testing.assert_allclose(seen[0], START, atol=1)


def test_the_follower_is_let_go_at_the_end_unless_it_is_to_hold(teleop, follower: VirtualBus) -> None:
    assert teleop(5)[0] == 0
    assert {follower.get(i, "torque_enable") for i in range(1, 7)} == {0}
    assert teleop(5, "--hold")[0] == 0
    assert {follower.get(i, "torque_enable") for i in range(1, 7)} == {1}


def test_a_silent_leader_makes_the_follower_hold(teleop, leader: VirtualBus) -> None:
    move(leader, POSE)
    code, said, seen = teleop(
        200,
        "--slew",
        "0.5",
        at={20: lambda: leader.inject_fault("mute servo 3"), 120: lambda: leader.inject_fault("clear mute servo 3")},
    )
    assert code == 0
    silent = seen[60:120]
    assert (silent == silent[0]).all()
    assert not np.allclose(silent[0], POSE, atol=5)
    assert (seen[-1] != silent[0]).any()
    assert "the leader is silent: the follower holds" in said
    assert "the leader is back" in said


def test_a_follower_that_is_lost_ends_it(teleop, follower: VirtualBus) -> None:
    def unplugged() -> None:
        for servo_id in range(1, 7):
            follower.inject_fault(f"mute servo {servo_id}")

    code, said, _ = teleop(300, at={20: unplugged})
    assert code == 2
    assert follower.port in said


def test_a_leader_with_another_arm_s_calibration_is_refused(teleop, arm: ArmFile, tmp_path: Path) -> None:
    joints = {j.name: JointCalibration(j.servo_id, 0, 77, *j.range_ticks) for j in arm.joints}
    save_calibration(Calibration(joints), tmp_path / "other.json")
    code, said, seen = teleop(5, "--leader-calibration", tmp_path / "other.json")
    assert code == 2
    assert "servo 1 (shoulder_pan): expected homing_offset 77, found 0" in said
    assert len(seen) == 0
    code, said, _ = teleop(5, "--follower-calibration", tmp_path / "other.json")
    assert code == 2
    assert "homing_offset" in said


@pytest.mark.parametrize(("option", "value"), [("--slew", "0"), ("--timeout", "x"), ("--rate", "1000")])
def test_numbers_out_of_range_are_refused(
    so100: Run, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        so100("teleop", "--leader", "/dev/a", "--follower", "/dev/b", option, value)
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


def test_arms_of_different_calibration_take_the_same_pose(arm: ArmFile) -> None:
    """Each arm's own zero and range: the body goes by angle, the gripper by its share of the range."""
    moved = tuple(
        replace(j, zero_ticks=j.zero_ticks + 55, range_ticks=(j.range_ticks[0] + 55, j.range_ticks[1] - 200))
        for j in arm.joints
        if j.name != "wrist_roll"
    )
    leader = replace(arm, joints=(*moved[:4], arm.joints[4], moved[4]))
    pair = LeaderFollower(leader, arm, np.zeros(6), 100.0, 1.0, 0.0)
    ticks = {j.servo_id: round(j.ticks(0.5 if j.name != "elbow_flex" else -0.5)) for j in leader.joints}
    low, high = leader.joints[5].range_ticks
    ticks[6] = round(low + 0.25 * (high - low))
    goal = pair.step(ticks, 1.0)
    np.testing.assert_allclose(goal[:5], [0.5, 0.5, -0.5, 0.5, 0.5], atol=0.002)
    low, high = arm.joints[5].range_ticks
    assert arm.joints[5].ticks(goal[5]) == pytest.approx(low + 0.25 * (high - low), abs=1)


def test_goals_stay_inside_the_follower_s_limits(arm: ArmFile) -> None:
    pair = LeaderFollower(arm, arm, np.zeros(6), 100.0, 1.0, 0.0)
    goal = pair.step(dict.fromkeys(range(1, 7), 0), 10.0)
    for joint, rad in zip(arm.joints, goal, strict=True):
        assert joint.limits_rad[0] <= rad <= joint.limits_rad[1]
