from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from so100_hardware import (
    BadRequestError,
    Bus,
    NoReplyError,
    ServoGroup,
    ServoJoint,
    VirtualBus,
    WrongModeError,
    WrongModelError,
)

IDS = (1, 2, 3, 4, 5, 6)
TICK = 2 * math.pi / 4096
REST = np.zeros(6)


def torque(virtual: VirtualBus) -> list[int]:
    return [virtual.get(i, "torque_enable") for i in IDS]


def goals(virtual: VirtualBus) -> list[int]:
    return [virtual.get(i, "goal_position") for i in IDS]


def test_activation_sets_the_goals_to_the_positions_before_torque(group: ServoGroup, virtual: VirtualBus) -> None:
    positions = [1500.0 + 100 * i for i in range(6)]
    virtual.exchange(positions, REST, REST, 0.0)
    for servo_id in IDS:
        virtual.set(servo_id, "goal_position", 3000)  # what another program left
        virtual.set(servo_id, "goal_velocity", 5)
        virtual.set(servo_id, "acceleration", 3)
        virtual.set(servo_id, "goal_time", 900)
    group.activate()
    assert goals(virtual) == positions
    assert torque(virtual) == [1] * 6
    for name in ("goal_velocity", "acceleration", "goal_time"):
        assert [virtual.get(i, name) for i in IDS] == [0] * 6
    setpoints = virtual.exchange(positions, REST, REST, 0.01)
    np.testing.assert_allclose(setpoints.position_ticks, positions)  # nothing moved


@pytest.mark.parametrize("silent", IDS)
def test_a_failed_first_read_refuses_and_leaves_torque_off(group: ServoGroup, virtual: VirtualBus, silent: int) -> None:
    virtual.inject_fault(f"mute servo {silent}")
    with pytest.raises(NoReplyError, match=r"reading the positions before torque on.*Torque was left off"):
        group.activate()
    virtual.inject_fault(f"clear mute servo {silent}")
    assert torque(virtual) == [0] * 6


def test_a_failed_activation_turns_off_what_another_program_left_on(group: ServoGroup, virtual: VirtualBus) -> None:
    for servo_id in IDS:
        virtual.set(servo_id, "torque_enable", 1)
    virtual.inject_fault("mute servo 6")
    with pytest.raises(NoReplyError):
        group.activate()
    assert torque(virtual)[:5] == [0] * 5


def test_another_model_and_another_mode_are_refused_by_name(group: ServoGroup, virtual: VirtualBus) -> None:
    virtual.set(2, "model_number", 2825)
    with pytest.raises(WrongModelError, match=r"servo 2 \(shoulder_lift\): expected model 777 \(STS3215\), found 2825"):
        group.check_servos()
    virtual.set(2, "model_number", 777)
    virtual.set(5, "operating_mode", 1)
    with pytest.raises(WrongModeError, match=r"servo 5 \(wrist_roll\): expected operating_mode 0 .*found 1"):
        group.check_servos()
    virtual.set(5, "operating_mode", 0)
    group.check_servos()


def test_a_reading_is_in_si_units_and_in_the_joint_s_direction(group: ServoGroup, virtual: VirtualBus) -> None:
    virtual.exchange([2147.0] * 6, [-200.0] * 6, [500.0] * 6, 0.0)
    virtual.set(3, "present_temperature", 44)
    virtual.set(3, "present_voltage", 71)
    virtual.set(3, "present_current", -100)
    state = group.read()
    assert state.fault == ""
    np.testing.assert_allclose(state.position_rad, 100 * TICK * np.array([-1, 1, 1, 1, 1, 1]))
    np.testing.assert_allclose(state.velocity_rad_s, 200 * TICK * np.array([1, -1, -1, -1, -1, -1]))
    np.testing.assert_allclose(state.effort, 0.5 * np.array([-1, 1, 1, 1, 1, 1]))
    assert (state.temperature_c[2], state.voltage_v[2], state.current_a[2]) == pytest.approx((44.0, 7.1, -0.65))
    assert state.moving.all()
    assert state.fresh.all()


def test_a_cycle_is_two_packets_out_and_six_in(group: ServoGroup, bus: Bus) -> None:
    before = bus.counters.requests
    group.read()
    group.write(REST)
    assert bus.counters.requests == before + 1  # the write has no reply


def test_a_silent_servo_leaves_the_others_fresh_and_its_row_old(group: ServoGroup, virtual: VirtualBus) -> None:
    virtual.exchange([2147.0] * 6, REST, REST, 0.0)
    group.read()
    virtual.exchange([2247.0] * 6, REST, REST, 0.0)
    virtual.inject_fault("mute servo 4")
    state = group.read()
    assert state.fault == "no_reply"
    assert list(state.fresh) == [True, True, True, False, True, True]
    assert state.position_rad[3] == pytest.approx(100 * TICK)
    assert state.position_rad[4] == pytest.approx(200 * TICK)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e9, 1e9), min_size=6, max_size=6))
def test_no_goal_leaves_the_limits(group: ServoGroup, virtual: VirtualBus, asked: list[float]) -> None:
    virtual.exchange([2047.0] * 6, REST, REST, 0.0)
    group.activate()
    assert group.write(asked) == ""
    group.read()  # the reply says that the write before it has been dealt with
    for i, goal in enumerate(goals(virtual)):
        rad = (goal - 2047) * TICK * (-1 if i == 0 else 1)
        assert 500 <= goal <= 3500
        assert -2.0 <= rad <= 2.0
        assert abs(rad - min(max(asked[i], -2.0), 2.0)) <= TICK


def test_clamped_goals_are_counted(group: ServoGroup) -> None:
    group.activate()
    group.write([0.0, 2.5, 0.0, 0.0, -2.5, 0.0])
    assert group.clamped_goals == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_goal_that_is_no_number_is_not_sent(group: ServoGroup, virtual: VirtualBus, bad: float) -> None:
    group.activate()
    before = goals(virtual)
    assert group.write([0.1, 0.1, bad, 0.1, 0.1, 0.1]) == "bad_goal"
    group.read()
    assert goals(virtual) == before


def test_an_arm_that_rests_outside_its_limits_may_only_move_inwards(group: ServoGroup, virtual: VirtualBus) -> None:
    outside = 2047 + round(2.2 / TICK)
    virtual.exchange([2047.0, outside, 2047.0, 2047.0, 2047.0, 2047.0], REST, REST, 0.0)
    group.activate()
    assert goals(virtual)[1] == outside  # torque on does not move it

    def goal_after(rad: float) -> float:
        group.write([0.0, rad, 0.0, 0.0, 0.0, 0.0])
        group.read()
        return (goals(virtual)[1] - 2047) * TICK

    assert goal_after(2.3) == pytest.approx(2.2, abs=TICK)
    assert goal_after(2.1) == pytest.approx(2.1, abs=TICK)
    assert goal_after(2.2) == pytest.approx(2.1, abs=TICK)
    assert goal_after(1.5) == pytest.approx(1.5, abs=TICK)
    assert goal_after(2.2) == pytest.approx(2.0, abs=TICK)


def test_torque_off_passes_over_a_silent_servo(group: ServoGroup, virtual: VirtualBus) -> None:
    group.activate()
    virtual.inject_fault("mute servo 1")
    assert group.torque_off() == "no_reply"
    assert torque(virtual)[1:] == [0] * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sign": 0}, "joint a: sign: expected 1 or -1, found 0"),
        ({"range_ticks": (3000, 100)}, "joint a: range_ticks: expected min below max, found 3000, 100"),
        ({"limits_rad": (1.0, 1.0)}, "joint a: limits_rad: expected lower below upper"),
        ({"servo_id": 254}, "joint a: servo_id: expected 0 to 253, found 254"),
        ({"range_ticks": (0, 100)}, "joint a: limits_rad: expected angles that overlap range_ticks"),
        ({"servo_id": 7}, "joint b: servo_id: expected an id of its own, found 7, a's"),
    ],
)
def test_joints_that_make_no_sense_are_refused(bus: Bus, changes: dict, message: str) -> None:
    good = {"sign": 1, "zero_ticks": 2047, "range_ticks": (500, 3500), "limits_rad": (-1.0, 1.0)}
    with pytest.raises(BadRequestError, match=message):
        ServoGroup(bus, [ServoJoint("a", **{"servo_id": 1, **good, **changes}), ServoJoint("b", 7, **good)])


def test_goals_of_the_wrong_number_are_refused(group: ServoGroup) -> None:
    with pytest.raises(BadRequestError, match="goal_rad: expected 6 numbers, found an array of 5"):
        group.write([0.0] * 5)
