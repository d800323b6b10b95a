"""The campaign's short form, and that its judge sees what it must not miss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from so100_hardware.fault_campaign.campaign import campaign, failures
from so100_hardware.fault_campaign.judge import Judge
from so100_hardware.fault_campaign.kinds import TRIALS

from so100_hardware import ServoJoint, encode_packet

JOINT = ServoJoint("elbow_flex", 3, 1, 2047, (500, 3500), (-1.5, 1.5))
DT_S = 0.01


@pytest.mark.parametrize("kind", [trial.name for trial in TRIALS])
def test_a_fault_leads_to_no_wrong_value_no_unsafe_torque_no_broken_limit_and_is_recovered_from(kind: str) -> None:
    (row,) = campaign(cycles=600, seed=7, kinds=[kind])
    assert failures(row) == []
    if "request" not in kind and "false bits" not in kind:  # a goal that is lost is replaced by the next, unseen
        assert row["detected"] == row["injected"]


@pytest.fixture
def judge() -> Judge:
    return Judge([JOINT], max_velocity_rad_s=4.0, max_step_rad=0.2)


def reading(ticks: int) -> Any:
    return SimpleNamespace(
        fresh=np.array([True]),
        position_rad=np.array([JOINT.radians(ticks)]),
        velocity_rad_s=np.zeros(1),
        effort=np.zeros(1),
        voltage_v=np.array([7.4]),
        temperature_c=np.array([30.0]),
    )


def reply(ticks: int, *, sent_ticks: int | None = None) -> Any:
    def packet(position: int) -> bytes:
        return encode_packet(3, 0, position.to_bytes(2, "little") + bytes(4) + bytes([74, 30]) + bytes(7))

    sent = packet(ticks if sent_ticks is None else sent_ticks)
    faults = [] if sent_ticks is None else ["falsify bits"]
    return SimpleNamespace(servo_id=3, address=56, request_s=1.0, truth=packet(ticks), sent=sent, faults=faults)


def write(address: int, data: bytes, **changes: object) -> Any:
    values = {"torque_before": True, "torque_after": True, "goal_ticks": 2047, "present_ticks": 2047} | changes
    return SimpleNamespace(servo_id=3, address=address, data=data, tampered=False, **values)


def goal(ticks: int) -> Any:
    return write(42, ticks.to_bytes(2, "little"), goal_ticks=ticks)


def test_the_truth_of_this_request_is_right_and_that_of_the_one_before_stale(judge: Judge) -> None:
    judge.replies([reply(2000)], reading(2000), 1.0)
    assert (judge.findings.wrong_accepted, judge.findings.stale_accepted) == (0, 0)
    judge.replies([reply(2010)], reading(2000), 1.01)
    assert (judge.findings.wrong_accepted, judge.findings.stale_accepted) == (0, 1)


def test_a_value_that_no_servo_said_is_wrong(judge: Judge) -> None:
    judge.replies([reply(2000)], reading(2001), 1.0)
    assert judge.findings.wrong_accepted == 1


def test_a_false_value_behind_a_right_checksum_is_wrong_only_if_no_arm_could_have_moved_so_far(judge: Judge) -> None:
    judge.replies([reply(2000)], reading(2000), 1.0)
    judge.replies([reply(2000, sent_ticks=2020)], reading(2020), 1.01)
    assert (judge.findings.wrong_accepted, judge.findings.within_plausibility) == (0, 1)
    judge.replies([reply(2000, sent_ticks=3000)], reading(3000), 1.02)
    assert (judge.findings.wrong_accepted, judge.findings.within_plausibility) == (1, 1)


def test_torque_that_comes_on_away_from_the_goal_is_unsafe(judge: Judge) -> None:
    judge.writes([write(40, b"\x01", torque_before=False, present_ticks=2048)], DT_S, 1.0)
    assert judge.findings.unsafe_torque_on == 0
    judge.writes([write(40, b"\x01", torque_before=False, present_ticks=2100)], DT_S, 1.0)
    assert judge.findings.unsafe_torque_on == 1


@pytest.mark.parametrize(("ticks", "violations"), [((2047, 2070), 0), ((2047, 2100), 1), ((3100,), 1), ((900,), 1)])
def test_goals_outside_the_limits_and_too_far_from_the_last_are_counted(
    judge: Judge, ticks: tuple[int, ...], violations: int
) -> None:
    for cycle, each in enumerate(ticks):
        judge.writes([goal(each)], DT_S, 1.0 + cycle * DT_S)
    assert judge.findings.limit_violations == violations


def test_a_fault_that_nobody_noticed_or_got_over_is_counted_as_such(judge: Judge) -> None:
    judge.faults([SimpleNamespace(what="struck"), SimpleNamespace(what="began")], 1.0)
    for cycle in range(5):
        judge.signs((0,), told=False, healthy=True, now_s=1.0 + cycle * DT_S)
    judge.end()
    assert (judge.findings.injected, judge.findings.detected, judge.findings.recovered) == (2, 0, 0)
    assert failures({"wrong_accepted": 0, "unsafe_torque_on": 0, "limit_violations": 0, "injected": 2, "recovered": 0})
