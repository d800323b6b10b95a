"""What does not fit the description is refused with what was expected and what was found, and without torque."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

VELOCITY = '<command_interface name="velocity"/><command_interface'


@pytest.mark.parametrize(
    ("pattern", "text", "message"),
    [
        (
            r'name="max_velocity">[^<]*<',
            'name="max_velocity">0<',
            r"joint shoulder_pan/max_velocity: expected more than 0, found 0",
        ),
        (
            "</hardware>",
            '<param name="max_stepp">1</param></hardware>',
            r"hardware/max_stepp: expected one of .*max_step.*, found 'max_stepp'",
        ),
        (
            "<command_interface",
            VELOCITY,
            r"joint shoulder_pan/command_interface: expected position alone, found velocity, position",
        ),
        (
            'state_interface name="load"',
            'state_interface name="torque"',
            r"joint shoulder_pan/state_interface: expected one of current, .*voltage, found 'torque'",
        ),
        (
            '(?s)<state_interface name="position">.*?</state_interface>',
            "",
            r"joint shoulder_pan/state_interface: expected position among them, found velocity",
        ),
        (
            "</ros2_control>",
            '<gpio name="lamp"><command_interface name="on"/></gpio></ros2_control>',
            r"gpio: expected none: servos are joints, found lamp",
        ),
    ],
    ids=["parameter", "unknown_parameter", "command", "state", "no_position", "gpio"],
)
def test_a_description_that_does_not_fit(
    launch: Callable[..., Any],
    describe: Callable[..., str],
    servos: Any,
    pattern: str,
    text: str,
    message: str,
) -> None:
    node = launch(describe("real", (pattern, text)))
    node.wait_for(message)
    assert servos.registers("torque_enable") == [0] * 6


def test_a_servo_of_another_model(launch: Callable[..., Any], describe: Callable[..., str], servos: Any) -> None:
    servos.bus.set(2, "model_number", 1284)
    launch(describe()).wait_for(r"servo 2.*expected .*777.*found .*1284")
    assert servos.registers("torque_enable") == [0] * 6


def test_a_missing_servo(launch: Callable[..., Any], describe: Callable[..., str], servos: Any) -> None:
    servos.bus.inject_fault("mute servo 6")
    launch(describe()).wait_for(r"ERROR.*(servo 6|gripper).*")
    assert servos.registers("torque_enable") == [0] * 6


def test_no_such_port(launch: Callable[..., Any], describe: Callable[..., str], servos: Any) -> None:
    urdf = describe()
    servos.bus.close()
    launch(urdf).wait_for(r"ERROR.*/arm.*(no such|not there|does not exist|expected)")
