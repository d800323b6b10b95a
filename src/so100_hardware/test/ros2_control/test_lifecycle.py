"""From unconfigured to active and back: what moves, and when there is torque."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

OFF, ON = [0] * 6, [1] * 6
STEP_RAD = 2 * np.pi / 4096


def test_active_it_shows_what_the_servos_show(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    np.testing.assert_allclose(node.positions(), servos.rad(), atol=2 * STEP_RAD)
    servos.bus.set(3, "present_temperature", 41)
    servos.bus.set(3, "present_voltage", 74)

    def elbow() -> dict[str, float]:
        message = node.telemetry[-1]
        values = message.interface_values[message.joint_names.index("elbow_flex")]
        return dict(zip(values.interface_names, values.values, strict=True))

    node.spin_until(lambda: node.telemetry and elbow().get("temperature") == 41.0, "the elbow's temperature")
    values = elbow()
    assert set(values) == {
        *("position", "velocity", "effort", "temperature", "voltage", "current", "load", "error_flags")
    }
    assert values["voltage"] == 7.4
    assert values["error_flags"] == 0.0


def test_a_trajectory_moves_the_servos(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    goal = servos.rad() + np.array([0.4, 0.3, -0.3, 0.2, -0.5, 0.3])
    node.move(goal, 1.0)
    np.testing.assert_allclose(servos.rad(), goal, atol=0.03)


def test_nothing_moves_before_somebody_asks(active: Callable[..., Any], servos: Any) -> None:
    """The goals that the servos still hold are far away; there is never torque towards them."""
    start = servos.rad()
    for servo_id in range(1, 7):
        servos.bus.set(servo_id, "goal_position", 3000)
    unsafe: list[tuple[int, int]] = []
    seen_torque = threading.Event()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for servo_id in range(1, 7):
                if servos.bus.get(servo_id, "torque_enable"):
                    seen_torque.set()
                    goal, position = (servos.bus.get(servo_id, f"{what}_position") for what in ("goal", "present"))
                    if abs(goal - position) > 2:
                        unsafe.append((servo_id, goal - position))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        active()
    finally:
        done.set()
        watcher.join()
    assert seen_torque.is_set()
    assert unsafe == []
    np.testing.assert_allclose(servos.rad(), start, atol=2 * STEP_RAD)


def test_active_without_controllers_it_is_commanded_to_where_it_is(
    launch: Callable[..., Any], describe: Callable[..., str], servos: Any
) -> None:
    start = servos.rad()
    node = launch(describe())

    def counted(name: str) -> int:
        bus = node.diagnostics.get("so100: servo bus")
        return int({pair.key: pair.value for pair in bus.values}[name]) if bus else 0

    node.spin_until(lambda: counted("cycles") > 100, "a hundred cycles")
    assert counted("failed_writes") == 0
    assert counted("held_cycles") == 0
    np.testing.assert_allclose(servos.rad(), start, atol=2 * STEP_RAD)


def test_a_failed_first_read_refuses_activation_and_leaves_torque_off(
    launch: Callable[..., Any], describe: Callable[..., str], servos: Any
) -> None:
    node = launch(describe(), **{"hardware_components_initial_state.inactive": ["so100"]})
    node.spin_until(lambda: node.component_state() == "inactive", "an inactive component")
    servos.bus.inject_fault("mute servo 3")
    assert not node.set_component("active")
    assert node.component_state() == "inactive"
    assert servos.registers("torque_enable") == OFF
    node.wait_for(r"ERROR.*reading the positions before torque on. Torque was left off")
    servos.bus.inject_fault("clear mute servo 3")
    assert node.set_component("active")
    assert servos.registers("torque_enable") == ON


def test_deactivated_the_arm_is_limp_and_read_and_active_again_it_stays_where_it_is(
    active: Callable[..., Any], servos: Any
) -> None:
    node = active()
    node.move(servos.rad() + 0.2, 0.5)
    node.switch(deactivate_controllers=["joint_trajectory_controller"])
    assert node.set_component("inactive")
    assert servos.registers("torque_enable") == OFF
    start = servos.rad()
    np.testing.assert_allclose(node.positions(), start, atol=2 * STEP_RAD)
    for servo_id in range(1, 7):
        servos.bus.set(servo_id, "goal_position", 3000)
    assert node.set_component("active")
    assert servos.registers("torque_enable") == ON
    node.switch(activate_controllers=["joint_trajectory_controller"])
    for _ in range(20):
        np.testing.assert_allclose(node.positions(), start, atol=3 * STEP_RAD)
    node.move(start + 0.1, 0.5)
    np.testing.assert_allclose(servos.rad(), start + 0.1, atol=0.03)


def test_torque_stays_where_the_description_says_so(active: Callable[..., Any], servos: Any) -> None:
    node = active("real", ("</hardware>", '<param name="torque_off_on_deactivate">false</param></hardware>'))
    node.switch(deactivate_controllers=["joint_trajectory_controller"])
    assert node.set_component("inactive")
    assert servos.registers("torque_enable") == ON


def test_it_parks_before_it_lets_go(active: Callable[..., Any], servos: Any) -> None:
    node = active("real", ('<param name="id">1</param>', '<param name="id">1</param><param name="park">0.4</param>'))
    others = servos.rad()[1:]
    node.switch(deactivate_controllers=["joint_trajectory_controller"])
    assert node.set_component("inactive")
    assert servos.registers("torque_enable") == OFF
    assert abs(servos.rad()[0] - 0.4) < 0.06
    np.testing.assert_allclose(servos.rad()[1:], others, atol=3 * STEP_RAD)


def test_it_lets_go_when_the_process_is_interrupted(active: Callable[..., Any], servos: Any) -> None:
    node = active()
    assert servos.registers("torque_enable") == ON
    node.stop()
    assert servos.registers("torque_enable") == OFF


def test_mock_components_take_the_same_description_and_controllers(
    launch: Callable[..., Any], describe: Callable[..., str]
) -> None:
    node = launch(describe("mock_components"))
    node.spin_until(lambda: node.component_state() == "active", "an active component")
    node.start_controllers()
    node.move(node.positions() + 0.2, 0.5)
