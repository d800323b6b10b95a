"""A servo falls silent, the whole arm goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

ON = [1] * 6
CONTROLLERS = {"joint_state_broadcaster", "joint_trajectory_controller"}
ERROR = b"\x02"


def unplug(node: Any, servos: Any) -> np.ndarray:
    """Until controller_manager has seen it; the angles (joints,) then."""
    rad = servos.unplug()
    node.wait_for("bus lost")
    node.spin_until(lambda: node.component_state() == "unconfigured", "an unconfigured component")
    return rad


def bus_message(node: Any) -> str:
    return node.diagnostics["so100: servo bus"].message if "so100: servo bus" in node.diagnostics else ""


def test_a_mute_servo_is_told_and_the_others_hold(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    servos.bus.inject_fault("mute servo 2")
    node.spin_until(lambda: "shoulder_lift mute" in bus_message(node), "a degraded bus on /diagnostics")
    assert node.diagnostics["so100: servo bus"].level == ERROR
    assert node.component_state() == "active"
    assert servos.registers("torque_enable") == ON
    refused = node.reconnect()
    assert not refused.success
    assert "shoulder_lift mute" in refused.message
    assert servos.registers("torque_enable") == ON
    servos.bus.inject_fault("clear mute servo 2")
    node.move(node.positions() + 0.2 * np.array([1, 1, -1, 1, 1, 1]), 1.0)


def test_unplugged_the_process_lives_and_one_call_brings_everything_back(
    active: Callable[..., Any], servos: Any
) -> None:
    node = active()
    node.move(servos.rad() + 0.2 * np.array([1, 1, -1, 1, 1, 1]), 1.0)
    rad = unplug(node, servos)
    assert node.child.poll() is None
    assert "active" not in node.controllers().values()
    assert not node.reconnect().success  # still unplugged

    moved_by_hand = rad + 0.1 * np.array([1, 1, -1, 1, 1, 1])
    servos.plug_in(moved_by_hand)
    answer = node.reconnect()
    assert answer.success, answer.message
    assert node.component_state() == "active"
    assert {name for name, state in node.controllers().items() if state == "active"} == CONTROLLERS
    np.testing.assert_allclose(node.positions(), moved_by_hand, atol=0.01)  # nothing jumped
    node.move(moved_by_hand - 0.2 * np.array([1, 1, -1, 1, 1, 1]), 1.0)


def test_with_auto_reconnect_no_call_is_needed(active: Callable[..., Any], servos: Any) -> None:
    node = active("virtual")
    rad = unplug(node, servos)
    servos.plug_in(rad)
    node.wait_for("active again, holding")
    assert {name for name, state in node.controllers().items() if state == "active"} == CONTROLLERS
    node.move(rad + 0.2 * np.array([1, 1, -1, 1, 1, 1]), 1.0)


def test_a_simulators_port_may_come_after_controller_manager(
    launch: Callable[..., Any], describe: Callable[..., str], servos: Any
) -> None:
    urdf = describe("virtual")
    rad = servos.unplug()
    node = launch(urdf)
    node.wait_for("'configure' hardware 'so100'")
    servos.plug_in(rad)
    node.wait_for("torque on, holding")


def test_reconnect_activates_an_arm_that_was_not_there_at_the_start(
    launch: Callable[..., Any], describe: Callable[..., str], servos: Any
) -> None:
    urdf = describe()
    rad = servos.unplug()
    node = launch(urdf, **{"hardware_components_initial_state.shutdown_on_initial_state_failure": False})
    node.spin_until(lambda: node.component_state() == "unconfigured", "an unconfigured component")
    refused = node.reconnect()
    assert not refused.success
    assert servos.port in refused.message
    servos.plug_in(rad)
    answer = node.reconnect()
    assert answer.success, answer.message
    assert node.component_state() == "active"
    assert servos.registers("torque_enable") == ON


def test_an_arm_that_was_let_go_stays_so_when_it_is_plugged_in_again(active: Callable[..., Any], servos: Any) -> None:
    node = active("virtual")
    node.switch(deactivate_controllers=sorted(CONTROLLERS))
    assert node.set_component("inactive")
    servos.plug_in(unplug(node, servos))
    told = node.node.get_clock().now().nanoseconds
    node.spin_until(lambda: node.node.get_clock().now().nanoseconds - told > 3e9, "three seconds")
    assert node.component_state() == "unconfigured"
    assert servos.registers("torque_enable") == [0] * 6


def test_a_servo_that_lost_its_torque_gets_it_back_by_one_call(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    servos.bus.set(4, "torque_enable", 0)
    node.spin_until(lambda: "wrist_flex limp" in bus_message(node), "a limp joint on /diagnostics")
    answer = node.reconnect()
    assert answer.success, answer.message
    assert servos.registers("torque_enable") == ON
    assert {name for name, state in node.controllers().items() if state == "active"} == CONTROLLERS


def test_reconnect_leaves_a_sound_arm_alone(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    answer = node.reconnect()
    assert answer.success
    assert "nothing to do" in answer.message
    assert servos.registers("torque_enable") == ON
