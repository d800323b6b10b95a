"""The driver without ROS, on the virtual bus, with its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from so100_hardware.arm_driver import HOLD_AFTER_S, LOST_AFTER_S, RECONNECT_PERIOD_S, ArmDriver
from so100_hardware.description import parse_description
from so100_hardware.health import HealthReporter, Level, error_text
from so100_hardware.trajectory import Trajectory, TrajectoryPoint, TrajectoryRejectedError

from so100_hardware import MissingServoError, PortInUseError, PortNotFoundError, VirtualBus

SERVO_IDS = (1, 2, 3, 4, 5, 6)
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
REST = np.zeros(6)
DT_S = 0.01


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
    world.driver.shut_down(torque_off=True)
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
    assert world.driver.clamped_goals > 0


def test_a_few_failed_reads_hold_the_arm_for_as_long_and_do_nothing_else(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(0.5, 1.0)
    world.run(0.3)
    world.virtual.mute(3)
    assert world.run(DT_S) == [False]  # the others' answers show that the goals before were taken
    before = world.position_ticks
    assert world.run(2 * DT_S) == [False, False]
    np.testing.assert_array_equal(world.position_ticks, before)
    world.virtual.mute(3, False)
    assert all(world.run(1.0))
    assert world.driver.counters.failed_reads == 3
    assert world.driver.counters.dropped == 0
    np.testing.assert_allclose(world.rad(), 0.5, atol=0.002)


def test_after_a_gap_in_the_feedback_the_trajectory_is_dropped_instead_of_caught_up_with(world: World) -> None:
    world.driver.connect(world.now_s)
    world.go(0.5, 1.0)
    world.run(0.3)
    world.virtual.mute(3)
    world.run(DT_S)
    before = world.position_ticks
    world.largest_step_ticks = 0.0
    world.run(HOLD_AFTER_S + 0.1)
    world.virtual.mute(3, False)
    world.run(1.0)
    assert world.driver.counters.dropped == 1
    # Servo 3 may have missed its last goal, a step of one cycle; what it would have to catch up with is 200 ticks.
    np.testing.assert_allclose(world.position_ticks, before, atol=10)
    assert world.largest_step_ticks <= 10


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
    assert world.driver.counters.lost == 1


def test_servos_that_stay_silent_count_as_lost_and_return_without_a_jump(world: World) -> None:
    world.driver.connect(world.now_s)
    for servo_id in SERVO_IDS:
        world.virtual.mute(servo_id)
    world.run(LOST_AFTER_S + 0.1)
    assert not world.driver.connected
    assert "no whole answer" in world.driver.trouble
    for servo_id in SERVO_IDS:
        world.virtual.mute(servo_id, False)
        world.virtual.set(servo_id, "torque_enable", 0)  # a brown-out: torque gone, the arm sagged
    world.position_ticks = world.position_ticks - 200.0
    sagged = world.position_ticks
    world.virtual.exchange(sagged, REST, REST, 0.0)
    world.run(RECONNECT_PERIOD_S + 0.2)
    assert world.driver.connected
    np.testing.assert_array_equal(world.position_ticks, sagged)


def test_a_connection_that_fails_leaves_torque_off_and_the_port_free(world: World) -> None:
    world.virtual.mute(5)
    with pytest.raises(MissingServoError):
        world.driver.connect(world.now_s)
    world.virtual.mute(5, False)
    assert world.torque() == [0] * 6
    world.driver.connect(world.now_s)


def test_a_second_driver_does_not_disturb_the_first(world: World) -> None:
    world.driver.connect(world.now_s)
    second = ArmDriver(world.driver.description)
    with pytest.raises(PortInUseError):
        second.connect(world.now_s)
    assert all(world.run(0.1))
    assert world.torque() == [1] * 6


def test_shutting_down_lets_go_only_where_asked(world: World) -> None:
    world.driver.connect(world.now_s)
    world.driver.shut_down(torque_off=False)
    assert world.torque() == [1] * 6
    world.driver.connect(world.now_s)
    assert world.driver.shut_down(torque_off=True) == ""
    assert world.torque() == [0] * 6


def test_a_port_that_is_not_there_is_an_error_at_the_start(world: World) -> None:
    world.virtual.close()
    with pytest.raises(PortNotFoundError):
        world.driver.connect(world.now_s)


def test_health_tells_holding_failing_hot_and_lost(world: World) -> None:
    world.driver.connect(world.now_s)
    reporter = HealthReporter()
    world.run(0.1)
    bus, *joints = reporter.report(world.driver)
    assert (bus.level, bus.message) == (Level.OK, "holding")
    assert bus.values["cycles"] == "10"
    assert [j.name for j in joints] == [f"joint {name}" for name in NAMES]
    assert joints[0].values["voltage_v"] == "7.4"

    world.virtual.mute(2)
    world.run(0.02)
    world.virtual.mute(2, False)
    world.virtual.set(3, "present_temperature", 65)
    world.virtual.set(4, "present_temperature", 75)
    world.run(0.03)
    bus, *joints = reporter.report(world.driver)
    assert (bus.level, bus.message) == (Level.WARN, "2 of the last 5 reads failed")
    assert (joints[2].level, joints[2].message) == (Level.WARN, "hot: 65 C")
    assert (joints[3].level, joints[3].message) == (Level.ERROR, "servo reports: overheating")

    world.virtual.close()
    world.driver.cycle(world.now_s + DT_S)
    bus, *_ = reporter.report(world.driver)
    assert bus.level == Level.ERROR
    assert "trying to reconnect" in bus.message


def test_error_bits_have_names() -> None:
    assert error_text(0) == ""
    assert error_text(1 | 32) == "voltage, overload"
    assert error_text(16) == "bit 4"
