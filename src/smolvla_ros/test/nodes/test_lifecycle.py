"""Managed nodes through their lifecycle services, as `ros2 lifecycle` and nav2's manager use them."""

from __future__ import annotations

import gc

import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from smolvla_ros.nodes.lifecycle import ManagedNode

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


def change(graph, node: str, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, f"{node}/change_state", request).success


def state(graph, node: str) -> str:
    return graph.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label


def set_text(graph, node: str, name: str, text: str):
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=text)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return graph.call(SetParameters, f"{node}/set_parameters", request).results[0]


@pytest.mark.parametrize("node", ["executor", "policy", "simulator"])
def test_a_node_goes_up_and_down_twice_and_leaves_nothing_behind(graph, node: str) -> None:
    child = graph.start(node, autostart=False)
    assert state(graph, node) == "unconfigured"
    topics = lambda: {  # noqa: E731
        name for name, _ in graph.node.get_publisher_names_and_types_by_node(node, "/") if "transition" not in name
    }
    graph.wait(lambda: node in graph.node.get_node_names())
    before = topics()
    for _ in range(2):
        assert change(graph, node, CONFIGURE)
        assert change(graph, node, ACTIVATE)
        assert state(graph, node) == "active"
        graph.wait(lambda: topics() > before)
        assert change(graph, node, DEACTIVATE)
        assert change(graph, node, CLEANUP)
        graph.wait(lambda: topics() == before)
    assert graph.stop(node) == 0
    assert "Traceback" not in graph.log(node)
    assert child.returncode == 0


def test_a_transition_that_the_state_does_not_have_is_refused_and_told(graph) -> None:
    child = graph.start("executor", autostart=False)
    assert not change(graph, "executor", ACTIVATE)
    graph.wait(lambda: "from 'unconfigured', which has none of that kind" in graph.log("executor"))
    assert state(graph, "executor") == "unconfigured"
    assert child.poll() is None


def test_a_failed_configuration_says_why_in_one_line_and_can_be_mended(graph) -> None:
    graph.start("policy", autostart=False, policy="no/such/folder")
    assert not change(graph, "policy", CONFIGURE)
    assert state(graph, "policy") == "unconfigured"
    assert graph.log("policy").count("expected 'scripted'") == 1
    assert set_text(graph, "policy", "policy", "scripted").successful
    assert change(graph, "policy", CONFIGURE)
    refused = set_text(graph, "policy", "policy", "another")
    assert not refused.successful
    assert refused.reason == "policy is read at configuration: deactivate and clean up first; the node is inactive"


def test_a_node_of_another_embodiment_can_be_mended_too(graph) -> None:
    graph.start("simulator", autostart=False, embodiment="/nowhere.yaml")
    assert not change(graph, "simulator", CONFIGURE)
    assert "/nowhere.yaml" in graph.log("simulator")
    assert set_text(graph, "simulator", "embodiment", "").successful
    assert change(graph, "simulator", CONFIGURE)


def test_while_a_node_is_active_nobody_looks_for_garbage_in_what_was_there_before() -> None:
    """A full look takes some 27 ms in the executor's process."""
    rclpy.init()
    node = ManagedNode("still", ())
    try:
        node.trigger_configure()
        node.trigger_activate()
        assert gc.get_freeze_count() > 10_000
        node.trigger_deactivate()
        assert gc.get_freeze_count() == 0
    finally:
        gc.unfreeze()
        node.destroy_node()
        rclpy.try_shutdown()
