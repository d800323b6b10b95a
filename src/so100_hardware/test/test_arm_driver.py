"""The driver without ROS, on the virtual bus, with its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from so100_hardware.arm_driver import RECONNECT_PERIOD_S, STREAM_S, ArmDriver
from so100_hardware.description import parse_description
from so100_hardware.forward_command import PositionsRejectedError
from so100_hardware.trajectory import Trajectory, TrajectoryPoint, TrajectoryRejectedError

from so100_hardware import MissingServoError, PortInUseError, PortNotFoundError, VirtualBus

SERVO_IDS = (1, 2, 3, 4, 5, 6)
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
REST = np.zeros(6)
DT_S = 0.01
MAX_VELOCITY_RAD_S = 4.0  # as the description says


class World:
    """A virtual arm whose shafts are where their setpoints say, and a driver that is given the time."""

    def __init__(self, link: Path, urdf: str) -> None:
        self.link = link
        self.now_s = 1000.0
        self.virtual = self.power_on(np.full(6, 2147.0))
        self.driver = ArmDriver(parse_description(urdf))
        self.largest_step_ticks = 0.0

    def power_on(self, position_ticks: np.ndarray) -> VirtualBus:
        self.position_ticks = position_ticks
        self.virtual = VirtualBus(SERVO_IDS, str(self.link), position_ticks)
        for servo_id in SERVO_IDS:
            self.virtual.set(servo_id, "return_delay_time", 0)
        return self.virtual

    def run(self, duration_s: float) -> list[bool]:
        """For each cycle, whether it had a whole reading."""
        readings = []
        for _ in range(round(duration_s / DT_S)):
            self.now_s += DT_S
            readings.append(self.driver.cycle(self.now_s) is not None)
            setpoints = self.virtual.exchange(self.position_ticks, REST, REST, DT_S)
            step = np.abs(setpoints.position_ticks - self.position_ticks).max()
            self.largest_step_ticks = max(self.largest_step_ticks, step)
            self.position_ticks = setpoints.position_ticks
        return readings

    def go(self, rad: float, duration_s: float) -> None:
        self.driver.accept(Trajectory(NAMES, [TrajectoryPoint(duration_s, [rad] * 6)]), self.now_s)

    def torque(self) -> list[int]:
        return [self.virtual.get(i, "torque_enable") for i in SERVO_IDS]

    def rad(self) -> np.ndarray:
        return (self.position_ticks - 2047) * (2 * np.pi / 4096) * np.array([-1, 1, 1, 1, 1, 1])


@pytest.fixture
def world(tmp_path: Path, urdf_for: Callable[[str], str]) -> Iterator[World]:
    link = tmp_path / "servo_bus"
    world = World(link, urdf_for(str(link)))
    yield world
    world.driver.shut_down()
    world.virtual.close()


def test_connecting_moves_nothing_and_holds(world: World) -> None:
    world.driver.connect(world.now_s)
    assert world.torque() == [1] * 6
    assert all(world.run(0.3))
    np.testing.assert_allclose(world.position_ticks, 2147)


def test_a_trajectory_is_followed_and_its_end_held(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(0.5, 1.0)
    world.run(0.5)
    assert world.driver.following
    world.run(0.7)
    assert not world.driver.following
    np.testing.assert_allclose(world.rad(), 0.5, atol=0.002)
    world.run(0.5)
    np.testing.assert_allclose(world.rad(), 0.5, atol=0.002)


def test_a_trajectory_beyond_the_limits_stops_at_them(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(3.0, 1.0)
    world.run(1.2)
    np.testing.assert_allclose(world.rad(), 2.0, atol=0.002)
    assert world.driver.arm.counters.clamped_goals > 0


def test_positions_are_gone_to_no_faster_than_the_arm_may_and_kept_when_no_more_come(world: World) -> None:
    world.driver.connect(world.now_s)
    world.driver.forward([0.5] * 6, world.now_s)
    world.run(0.05)
    assert 0.01 < world.rad().max() < MAX_VELOCITY_RAD_S * (0.05 + 2 * DT_S)
    assert world.driver.following
    world.run(STREAM_S + 0.5)
    assert not world.driver.following
    np.testing.assert_allclose(world.rad(), 0.5, atol=0.002)
    world.driver.forward([3.0] * 6, world.now_s)
    world.run(2.0)
    np.testing.assert_allclose(world.rad(), 2.0, atol=0.002)
    assert world.driver.arm.counters.clamped_goals > 0
    assert (world.driver.accepted, world.driver.forwarded, world.driver.rejected) == (0, 2, 0)


@pytest.mark.parametrize(
    ("positions", "told"),
    [
        ([0.1] * 5, r"expected 6 values \(shoulder_pan, .*gripper\), found 5"),
        ([], r"expected 6 values \(.*\), found 0"),
        ([0.1] * 5 + [float("nan")], r"expected finite numbers, found \[0.1, .*nan\]"),
    ],
)
def test_positions_that_cannot_be_are_refused_counted_and_move_nothing(
    world: World, positions: list[float], told: str
) -> None:
    with pytest.raises(PositionsRejectedError, match="expected a connected servo bus, found none"):
        world.driver.forward([0.1] * 6, world.now_s)
    world.driver.connect(world.now_s)
    with pytest.raises(PositionsRejectedError, match=told):
        world.driver.forward(positions, world.now_s)
    world.run(0.3)
    np.testing.assert_allclose(world.position_ticks, 2147, atol=1)
    assert (world.driver.forwarded, world.driver.rejected) == (0, 2)


def test_the_newest_command_has_the_arm_whatever_its_kind(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(1.0, 2.0)
    world.run(0.5)
    world.driver.forward([0.1] * 6, world.now_s)
    world.run(1.5)
    np.testing.assert_allclose(world.rad(), 0.1, atol=0.002)
    world.driver.forward([1.0] * 6, world.now_s)
    world.go(0.3, 1.0)
    world.run(1.5)
    np.testing.assert_allclose(world.rad(), 0.3, atol=0.002)


def test_torque_is_not_released_under_a_stream_of_positions_and_a_lost_bus_ends_it(world: World) -> None:
    world.driver.connect(world.now_s)
    world.driver.forward([0.0] * 6, world.now_s)
    world.run(0.2)
    assert "found it following commands" in world.driver.release()
    world.virtual.close()
    world.now_s += DT_S
    assert world.driver.cycle(world.now_s) is None
    assert not world.driver.following
    elsewhere = np.full(6, 1900.0)
    world.power_on(elsewhere)
    world.run(RECONNECT_PERIOD_S + 0.5)
    assert world.torque() == [1] * 6
    np.testing.assert_array_equal(world.position_ticks, elsewhere)


def test_a_bus_that_is_gone_is_reconnected_with_new_goals(world: World) -> None:
    """The simulator is killed and comes back elsewhere, its arm in another pose: nothing jumps to old goals."""
    world.driver.connect(world.now_s)
    world.go(0.5, 1.0)
    world.run(0.5)
    world.virtual.close()
    world.now_s += DT_S
    assert world.driver.cycle(world.now_s) is None
    assert not world.driver.connected
    assert "the device is gone" in world.driver.trouble
    with pytest.raises(TrajectoryRejectedError, match=r"servo bus: expected a connection, found .*the device is gone"):
        world.go(0.1, 1.0)
    world.now_s += RECONNECT_PERIOD_S + DT_S
    assert world.driver.cycle(world.now_s) is None
    assert "no such device" in world.driver.trouble

    elsewhere = np.array([1500.0, 1700.0, 1900.0, 2100.0, 2300.0, 2500.0])
    world.power_on(elsewhere)
    world.largest_step_ticks = 0.0
    readings = world.run(RECONNECT_PERIOD_S + 0.5)
    assert world.driver.connected
    assert not readings[0]  # once a second, not in every cycle
    assert readings[-1]
    np.testing.assert_array_equal(world.position_ticks, elsewhere)
    assert world.largest_step_ticks == 0.0
    assert world.torque() == [1] * 6
    assert world.driver.arm.counters.lost == 1


def test_without_auto_reconnect_a_lost_bus_waits_to_be_asked(tmp_path: Path, urdf_for: Callable[..., str]) -> None:
    world = World(tmp_path / "servo_bus", urdf_for(str(tmp_path / "servo_bus"), auto_reconnect="false"))
    world.driver.connect(world.now_s)
    world.virtual.close()
    world.driver.cycle(world.now_s + DT_S)
    world.power_on(np.full(6, 2147.0))
    world.run(3 * RECONNECT_PERIOD_S)
    assert world.torque() == [0] * 6
    world.driver.connect(world.now_s)
    assert all(world.run(0.1))
    assert world.torque() == [1] * 6
    world.driver.shut_down()
    world.virtual.close()


def test_connecting_anew_while_a_trajectory_runs_drops_it_and_holds(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(0.5, 1.0)
    world.run(0.5)
    world.driver.connect(world.now_s)
    before = world.position_ticks
    world.run(0.5)
    np.testing.assert_allclose(world.position_ticks, before, atol=10)


def test_a_connection_that_fails_leaves_torque_off_and_the_port_free(world: World) -> None:
    world.virtual.inject_fault("mute servo 5")
    with pytest.raises(MissingServoError):
        world.driver.connect(world.now_s)
    world.virtual.inject_fault("clear mute servo 5")
    assert world.torque() == [0] * 6
    world.driver.connect(world.now_s)


def test_a_second_driver_does_not_disturb_the_first(world: World) -> None:
    world.driver.connect(world.now_s)
    second = ArmDriver(world.driver.arm.config)
    with pytest.raises(PortInUseError):
        second.connect(world.now_s)
    assert all(world.run(0.1))
    assert world.torque() == [1] * 6


def test_a_released_arm_is_read_and_torque_comes_back_only_when_asked_for_with_goals_at_the_positions(
    world: World,
) -> None:
    world.driver.connect(world.now_s)
    world.go(0.4, 1.0)
    world.run(0.2)
    assert "expected an arm that holds" in world.driver.release()
    assert world.torque() == [1] * 6
    world.run(2.0)
    assert world.driver.release() == ""
    assert world.torque() == [0] * 6
    with pytest.raises(TrajectoryRejectedError, match="torque is released"):
        world.go(0.0, 1.0)
    for _ in range(round(2 * RECONNECT_PERIOD_S / DT_S)):
        world.now_s += DT_S
        world.position_ticks = world.position_ticks + 1.0  # by hand
        world.virtual.exchange(world.position_ticks, REST, REST, DT_S)
        assert world.driver.cycle(world.now_s) is not None
    assert world.torque() == [0] * 6
    moved_to = world.position_ticks.copy()
    world.driver.connect(world.now_s)
    world.run(1.0)
    assert world.torque() == [1] * 6
    np.testing.assert_allclose(world.position_ticks, moved_to, atol=1)


def test_a_released_arm_whose_bus_dies_stays_released(world: World) -> None:
    world.driver.connect(world.now_s)
    assert world.driver.release() == ""
    world.virtual.close()
    world.now_s += DT_S
    assert world.driver.cycle(world.now_s) is None
    world.power_on(world.position_ticks)
    world.run(2 * RECONNECT_PERIOD_S)
    assert world.torque() == [0] * 6
    assert not world.driver.connected


def test_shutting_down_lets_go(world: World) -> None:
    world.driver.connect(world.now_s)
    assert world.driver.shut_down() == ""
    assert world.torque() == [0] * 6


def test_a_port_that_is_not_there_is_an_error_at_the_start(world: World) -> None:
    world.virtual.close()
    with pytest.raises(PortNotFoundError):
        world.driver.connect(world.now_s)
