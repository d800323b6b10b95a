"""The rules between a robot description and its servos, on the virtual bus, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from so100_hardware._bus import MUTE_AFTER_S, PROBE_PERIOD_S, RETURN_SPEED_RAD_S, SUPERVISE_PERIOD_S
from so100_hardware.description import parse_description

from so100_hardware import (
    Arm,
    BadRequestError,
    DescriptionError,
    ForeignCalibrationError,
    MissingServoError,
    NoBusError,
    NoReplyError,
    VirtualBus,
    WrongFirmwareError,
    error_text,
)

SERVO_IDS = (1, 2, 3, 4, 5, 6)
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
REST = np.zeros(6)
DT_S = 0.01
RAD_PER_TICK = 2 * np.pi / 4096
SIGNS = np.array([-1, 1, 1, 1, 1, 1])


class Bench:
    """Six shafts that stand where their servos want them, and an arm that is given the time."""

    def __init__(self, link: Path, urdf_for: Callable[..., str]) -> None:
        self.now_s = 1000.0
        self._link, self._urdf_for = link, urdf_for
        self.ticks = np.full(6, 2147.0)
        self.virtual = VirtualBus(SERVO_IDS, str(link), self.ticks)
        for servo_id in SERVO_IDS:
            self.virtual.set(servo_id, "return_delay_time", 0)
        self.arm = self.new_arm()

    def new_arm(self, joint_parameters: dict[str, object] | None = None, **hardware: object) -> Arm:
        self.arm = Arm(parse_description(self._urdf_for(str(self._link), joint_parameters, **hardware)))
        return self.arm

    def activate(self) -> None:
        self.arm.open(self.now_s)
        self.arm.activate(self.now_s)

    def run(self, goal_rad: float | NDArray[np.float64], duration_s: float) -> list[str]:
        """The fault of each cycle's reading."""
        faults = []
        for _ in range(round(duration_s / DT_S)):
            self.now_s += DT_S
            faults.append(self.arm.read(self.now_s).fault)
            self.arm.write(np.broadcast_to(goal_rad, (6,)), self.now_s)
            self.settle()
        return faults

    def settle(self) -> None:
        self.ticks = self.virtual.exchange(self.ticks, REST, REST, DT_S).position_ticks

    def rad(self) -> NDArray[np.float64]:
        """Where the servos' goals are, whatever the shafts do. A write has no reply, but a reading behind it does."""
        self.arm.read(self.now_s)
        return SIGNS * (np.array([self.virtual.get(i, "goal_position") for i in SERVO_IDS]) - 2047) * RAD_PER_TICK

    def registers(self, name: str) -> list[int]:
        return [self.virtual.get(i, name) for i in SERVO_IDS]

    def message(self, line: int = 0) -> str:
        return self.arm.report()[line].message


@pytest.fixture
def bench(tmp_path: Path, urdf_for: Callable[..., str]) -> Iterator[Bench]:
    bench = Bench(tmp_path / "servo_bus", urdf_for)
    yield bench
    bench.arm.close()
    bench.virtual.close()


def test_opening_turns_no_torque_on_and_moves_nothing(bench: Bench) -> None:
    bench.arm.open(bench.now_s)
    assert bench.arm.phase == "open"
    assert bench.run(0.5, 0.1) == [""] * 10  # an inactive component is read and written too
    assert bench.registers("torque_enable") == [0] * 6
    assert bench.registers("goal_position") == [0] * 6
    assert bench.message() == "open, torque not turned on"


def test_activation_turns_torque_on_where_the_arm_stands(bench: Bench) -> None:
    bench.activate()
    assert bench.registers("torque_enable") == [1] * 6
    assert bench.registers("goal_position") == [2147] * 6
    assert bench.message() == "active"


def test_activating_a_closed_arm_is_refused(bench: Bench) -> None:
    with pytest.raises(BadRequestError, match="expected an open arm to activate, found it closed"):
        bench.arm.activate(bench.now_s)


def test_a_servo_missing_at_the_start_refuses_with_torque_off_and_the_port_free(bench: Bench) -> None:
    bench.virtual.inject_fault("mute servo 5")
    with pytest.raises(MissingServoError, match=r"no answer from servo 5 \(wrist_roll\)"):
        bench.arm.open(bench.now_s)
    assert bench.arm.phase == "closed"
    bench.virtual.inject_fault("clear mute servo 5")
    bench.activate()


def test_a_first_reading_that_fails_refuses_activation_with_torque_off(bench: Bench) -> None:
    bench.arm.open(bench.now_s)
    bench.virtual.inject_fault("mute servo 2")
    with pytest.raises(NoReplyError, match="reading the positions before torque on"):
        bench.arm.activate(bench.now_s)
    assert bench.registers("torque_enable") == [0] * 6


def test_two_servos_with_one_id_are_refused_with_that_as_the_likely_reason(bench: Bench) -> None:
    bench.virtual.inject_fault("take id 3 servo 4")
    with pytest.raises(MissingServoError, match=r"no answer from .*servo 4.*two servos may have one id"):
        bench.arm.open(bench.now_s)


def test_a_port_that_answers_as_no_servo_does_is_told_from_a_silent_one(bench: Bench) -> None:
    for servo_id in SERVO_IDS:
        bench.virtual.inject_fault(f"mute servo {servo_id}")
    with pytest.raises(NoBusError, match=r"nothing answers\. Expected 6 servos"):
        bench.arm.open(bench.now_s)
    bench.virtual.inject_fault("clear")
    bench.virtual.inject_fault("wrong id 99")
    with pytest.raises(NoBusError, match="something answers, but not as servos do"):
        bench.arm.open(bench.now_s)


def test_goals_move_no_faster_than_the_joint_may(bench: Bench) -> None:
    bench.activate()
    before = bench.rad()
    bench.run(1.0, DT_S)
    np.testing.assert_array_equal(bench.rad(), before)  # activation may have taken long: the first write moves nothing
    bench.run(1.0, DT_S)
    np.testing.assert_allclose(np.abs(bench.rad() - before), 4.0 * DT_S, atol=RAD_PER_TICK)
    bench.run(1.0, 0.5)
    np.testing.assert_allclose(bench.rad(), 1.0, atol=RAD_PER_TICK)
    assert bench.arm.counters.slowed_goals > 0


def test_after_a_pause_of_the_process_no_goal_is_further_than_max_step(bench: Bench) -> None:
    bench.new_arm(max_step=0.05)
    bench.activate()
    before = bench.rad()
    bench.run(before, DT_S)
    bench.now_s += 5.0
    bench.run(1.0, DT_S)
    np.testing.assert_allclose(np.abs(bench.rad() - before), 0.05, atol=RAD_PER_TICK)


def test_a_goal_outside_the_limits_is_clamped_and_counted(bench: Bench) -> None:
    bench.activate()
    bench.run(3.0, 1.0)
    np.testing.assert_allclose(bench.rad(), 2.0, atol=RAD_PER_TICK)
    assert bench.arm.counters.clamped_goals > 0


def test_a_goal_that_is_no_number_sends_nothing(bench: Bench) -> None:
    bench.activate()
    before = bench.rad()
    assert bench.arm.write([0.1, np.nan, 0.1, 0.1, 0.1, 0.1], bench.now_s + DT_S) == "bad_goal"
    np.testing.assert_array_equal(bench.rad(), before)
    assert bench.arm.counters.failed_writes == 1


def test_while_a_servo_is_silent_the_arm_holds_and_then_returns_slowly(bench: Bench) -> None:
    bench.activate()
    bench.run(0.1, 0.5)
    bench.virtual.inject_fault("mute servo 3")
    bench.run(0.5, DT_S)
    held = bench.rad()
    assert bench.run(0.5, 2 * DT_S) == ["no_reply"] * 2
    np.testing.assert_array_equal(bench.rad(), held)
    bench.run(0.5, MUTE_AFTER_S)
    bench.virtual.inject_fault("clear mute servo 3")
    while bench.arm.held or (bench.rad() == held).all():
        bench.run(0.5, DT_S)
    np.testing.assert_allclose(np.abs(bench.rad() - held), RETURN_SPEED_RAD_S * DT_S, atol=RAD_PER_TICK)
    bench.run(0.5, 1.0)
    np.testing.assert_allclose(bench.rad(), 0.5, atol=RAD_PER_TICK)
    bench.run(0.6, DT_S)  # caught up: the joint's own speed counts again
    np.testing.assert_allclose(bench.rad(), 0.54, atol=RAD_PER_TICK)


def test_after_a_lost_reply_the_arm_follows_as_ever(bench: Bench) -> None:
    """Returning slowly it would be seconds behind commands that move on, and miss what it was to grasp."""
    bench.activate()
    bench.run(0.1, 0.5)
    goals = 0.1 + 1.0 * np.arange(0.0, 0.3, DT_S)
    for cycle, goal in enumerate(goals):
        if cycle in (10, 11):
            bench.virtual.inject_fault("mute servo 3")
        bench.run(goal, DT_S)
        bench.virtual.inject_fault("clear mute servo 3")
        if cycle > 12:
            np.testing.assert_allclose(bench.rad(), goal, atol=RAD_PER_TICK)
    assert bench.arm.counters.held_cycles == 2


def test_a_mute_servo_is_degraded_mode_not_the_end(bench: Bench) -> None:
    bench.activate()
    bench.run(0.1, 0.5)
    bench.virtual.inject_fault("mute servo 3")
    bench.run(0.3, MUTE_AFTER_S + 5 * DT_S)
    held = bench.rad()
    assert bench.arm.troubles == ["", "", "mute", "", "", ""]
    assert bench.run(0.3, 0.3) == [""] * 30  # the others are read without waiting for it
    np.testing.assert_array_equal(bench.rad(), held)
    assert bench.registers("torque_enable") == [1] * 6
    assert bench.message() == "degraded, the arm holds: elbow_flex mute"
    assert "does not answer" in bench.message(3)

    bench.virtual.inject_fault("clear mute servo 3")
    bench.run(0.3, PROBE_PERIOD_S + 0.1)
    assert bench.arm.troubles == [""] * 6
    bench.run(0.3, 1.0)
    np.testing.assert_allclose(bench.rad(), 0.3, atol=RAD_PER_TICK)


def test_a_servo_that_was_rebooted_stops_the_arm_until_it_is_activated_anew(bench: Bench) -> None:
    bench.activate()
    bench.run(0.1, 0.5)
    bench.virtual.set(4, "torque_enable", 0)
    bench.run(0.3, 7 * SUPERVISE_PERIOD_S)
    assert bench.arm.troubles[3] == "limp"
    held = bench.rad()
    bench.run(0.3, 0.3)
    np.testing.assert_array_equal(bench.rad(), held)
    assert bench.registers("torque_enable")[3] == 0  # nobody asked for it
    assert "wrist_flex limp" in bench.message()

    sagged = bench.ticks + np.array([0, 0, 0, -150, 0, 0])
    bench.ticks = sagged
    bench.settle()
    bench.activate()
    assert bench.registers("torque_enable") == [1] * 6
    np.testing.assert_allclose(bench.registers("goal_position"), sagged, atol=2)
    bench.run(0.3, 2.0)
    np.testing.assert_allclose(bench.rad(), 0.3, atol=RAD_PER_TICK)


def test_a_joint_that_does_not_reach_its_goal_is_told(bench: Bench) -> None:
    bench.activate()
    for _ in range(130):
        bench.now_s += DT_S
        bench.arm.read(bench.now_s)
        bench.arm.write(np.full(6, 0.5), bench.now_s)  # nothing exchanges: the shafts are blocked
    assert bench.arm.blocked == [True] * 6
    assert bench.message(1).startswith("does not reach its goal")
    assert not bench.arm.held
    bench.run(0.5, 0.3)
    assert bench.arm.blocked == [False] * 6


def test_a_mute_servo_that_comes_back_without_torque_is_told_apart(bench: Bench) -> None:
    bench.activate()
    bench.virtual.inject_fault("mute servo 2")
    bench.run(0.0, MUTE_AFTER_S + 5 * DT_S)
    bench.virtual.set(2, "torque_enable", 0)
    bench.virtual.inject_fault("clear mute servo 2")
    bench.run(0.0, PROBE_PERIOD_S + 0.1)
    assert bench.arm.troubles[1] == "limp"


def test_when_all_servos_fall_silent_the_bus_is_lost(bench: Bench) -> None:
    bench.activate()
    for servo_id in SERVO_IDS:
        bench.virtual.inject_fault(f"mute servo {servo_id}")
    faults = bench.run(0.0, 0.6)
    assert bench.arm.lost == "no_reply"
    assert faults[-1] == "no_reply"
    assert bench.message() == "bus lost: no servo answers (no_reply); trying to reconnect"
    assert bench.arm.counters.lost == 1


def test_one_failed_cycle_after_a_long_pause_is_not_the_end(bench: Bench) -> None:
    bench.activate()
    for servo_id in SERVO_IDS:
        bench.virtual.inject_fault(f"mute servo {servo_id}")
    bench.now_s += 10.0
    bench.run(0.0, DT_S)
    assert bench.arm.lost == ""
    for servo_id in SERVO_IDS:
        bench.virtual.inject_fault(f"clear mute servo {servo_id}")
    assert bench.run(0.0, DT_S) == [""]


def test_a_port_that_vanishes_is_lost_at_once(bench: Bench) -> None:
    bench.activate()
    bench.virtual.close()
    assert bench.arm.read(bench.now_s + DT_S).fault == "port_lost"
    assert bench.arm.lost_text == "the device is gone"
    assert bench.arm.write(REST, bench.now_s + DT_S) == "port_lost"
    assert bench.arm.deactivate() != ""  # told, not thrown
    bench.arm.close()


def test_a_position_that_no_arm_could_reach_is_not_believed(bench: Bench) -> None:
    bench.activate()
    bench.run(0.1, 0.5)
    before = bench.arm.state.position_rad
    jumped = bench.ticks.copy()
    jumped[2] += 1000
    bench.virtual.exchange(jumped, REST, REST, 0.0)
    bench.now_s += DT_S
    assert bench.arm.read(bench.now_s).fault == "corrupt_reply"
    np.testing.assert_array_equal(bench.arm.state.position_rad, before)
    assert bench.arm.counters.implausible == 1
    assert bench.arm.held
    bench.virtual.exchange(bench.ticks, REST, REST, 0.0)
    assert bench.run(0.1, DT_S) == [""]


def test_a_position_that_stays_is_believed_in_the_end(bench: Bench) -> None:
    bench.activate()
    jumped = bench.ticks.copy()
    jumped[2] += 1000
    faults = []
    for _ in range(4):
        bench.virtual.exchange(jumped, REST, REST, 0.0)
        bench.now_s += DT_S
        faults.append(bench.arm.read(bench.now_s).fault)
    assert faults == ["corrupt_reply", "corrupt_reply", "", ""]
    np.testing.assert_allclose(bench.arm.state.position_rad[2], 1100 * RAD_PER_TICK)


def test_torque_limits_are_set_before_torque(bench: Bench) -> None:
    bench.new_arm({"torque_limit": 0.4})
    bench.activate()
    assert bench.registers("torque_limit") == [400] * 6


def test_without_the_parameters_no_servo_setting_is_touched(bench: Bench) -> None:
    before = {name: bench.registers(name) for name in ("torque_limit", "p_coefficient", "lock", "return_delay_time")}
    bench.activate()
    assert bench.arm.gains_written == []
    assert {name: bench.registers(name) for name in before} == before


def test_gains_are_written_once_and_told(bench: Bench) -> None:
    bench.new_arm({"p_coefficient": 16, "d_coefficient": 32})
    bench.activate()
    assert bench.registers("p_coefficient") == [16] * 6
    assert bench.registers("lock") == [1] * 6
    assert len(bench.arm.gains_written) == 6  # d was 32 already
    assert "servo 1 (shoulder_pan): p_coefficient 32 -> 16" in bench.arm.gains_written[0]
    bench.activate()
    assert bench.arm.gains_written == []


def test_gains_are_not_changed_under_torque(bench: Bench) -> None:
    bench.activate()
    bench.arm.close()  # another program's arm, still holding
    bench.new_arm({"p_coefficient": 16})
    with pytest.raises(BadRequestError, match="p_coefficient: expected 16, found 32, and torque is on"):
        bench.arm.open(bench.now_s)
    assert bench.registers("torque_enable") == [1] * 6


def test_servos_of_different_firmware_are_refused(bench: Bench) -> None:
    bench.virtual.set(4, "firmware_minor_version", 9)
    with pytest.raises(WrongFirmwareError, match=r"servo 4 \(wrist_flex\): expected firmware 3.10 .* found 3.9"):
        bench.arm.open(bench.now_s)


def test_a_description_of_another_arm_is_refused(bench: Bench) -> None:
    bench.new_arm({"homing_offset": 0})
    with pytest.raises(ForeignCalibrationError, match=r"expected min_position_limit 500 .* found 0"):
        bench.arm.open(bench.now_s)
    for servo_id in SERVO_IDS:
        bench.virtual.set(servo_id, "min_position_limit", 500)
        bench.virtual.set(servo_id, "max_position_limit", 3500)
    bench.arm.open(bench.now_s)
    bench.arm.close()
    bench.virtual.set(6, "homing_offset", 12)
    with pytest.raises(ForeignCalibrationError, match=r"servo 6 \(gripper\): expected homing_offset 0 .* found 12"):
        bench.arm.open(bench.now_s)


def test_deactivating_lets_go_and_keeps_the_port(bench: Bench) -> None:
    bench.activate()
    assert bench.arm.deactivate() == ""
    assert bench.registers("torque_enable") == [0] * 6
    assert bench.arm.phase == "open"
    bench.arm.activate(bench.now_s)
    assert bench.registers("torque_enable") == [1] * 6


def test_deactivating_can_leave_the_arm_holding(bench: Bench) -> None:
    bench.new_arm(torque_off_on_deactivate="false")
    bench.activate()
    bench.arm.deactivate()
    assert bench.registers("torque_enable") == [1] * 6


def test_deactivating_parks_first_where_the_description_says_so(bench: Bench) -> None:
    bench.new_arm({"park": 0.3})
    bench.activate()
    bench.virtual.start_first_order_arm()
    assert bench.arm.deactivate() == ""
    np.testing.assert_allclose(bench.rad(), 0.3, atol=0.06)
    assert bench.registers("torque_enable") == [0] * 6


def test_parking_ends_at_its_time_limit(bench: Bench) -> None:
    """The shafts are blocked: nothing exchanges."""
    bench.new_arm({"park": 2.0}, park_time_limit=0.2)
    bench.activate()
    assert bench.arm.deactivate() == ""
    assert np.all(np.abs(bench.rad()) < 0.3)
    assert bench.registers("torque_enable") == [0] * 6


def test_a_park_angle_outside_the_limits_is_refused(bench: Bench) -> None:
    with pytest.raises(DescriptionError, match=r"joint shoulder_pan/park: expected -2 to 2, found 2\.5"):
        bench.new_arm({"park": 2.5})


def test_the_report_tells_failed_reads_hot_and_complaining_servos(bench: Bench) -> None:
    bench.activate()
    bench.run(0.1, 0.1)
    bus, *joints = bench.arm.report()
    assert (bus.level, bus.message) == (0, "active")
    assert bus.values["cycles"] == "10"
    assert [j.name for j in joints] == [f"joint {name}" for name in NAMES]
    assert joints[0].values["voltage_v"] == "7.4"

    bench.virtual.inject_fault("mute servo 2")
    bench.run(0.1, 2 * DT_S)
    bench.virtual.inject_fault("clear mute servo 2")
    bench.virtual.set(3, "present_temperature", 65)
    bench.virtual.set(4, "present_temperature", 75)
    bench.run(0.1, 3 * DT_S)
    bus, *joints = bench.arm.report()
    assert (bus.level, bus.message) == (1, "2 of the last 5 reads failed")
    assert (joints[2].level, joints[2].message) == (1, "hot: 65 C")
    assert (joints[3].level, joints[3].message) == (2, "servo reports: overheating")


def test_error_bits_have_names() -> None:
    assert error_text(0) == ""
    assert error_text(1 | 32) == "voltage, overload"
    assert error_text(16) == "bit 4"
