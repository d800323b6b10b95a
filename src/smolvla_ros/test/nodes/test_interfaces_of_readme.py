"""The topics, services and actions of the package's README are those of the running nodes, by node, name and type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from smolvla_ros.embodiment import load_embodiment

README = (Path(__file__).parents[2] / "README.md").read_text()
ROW = re.compile(r"^\| (out|in|service|action) `(/[\w/<>]+)` \| `([\w/]+)` \|", re.MULTILINE)
# every node's, or every managed node's
COMMON = re.compile(
    r"/(rosout|parameter_events|clock)$|/(\w+/)?(describe_parameters|get_parameters?|get_parameter_types|list_parameters|"
    r"set_parameters|set_parameters_atomically|get_type_description|change_state|get_state|get_available_states|"
    r"get_available_transitions|get_transition_graph|transition_event)$"
)
CAMERAS = "|".join(camera.name for camera in load_embodiment().cameras)
Interface = tuple[str, str, str]


def told(node: str) -> set[Interface]:
    section = README.split(f"\n## {node}\n", 1)[1].split("\n## ", 1)[0]
    return set(ROW.findall(section))


def found(graph, node: str) -> set[Interface]:
    """(direction, name, type); an action is one row, not its five parts."""
    asked = {
        "out": graph.node.get_publisher_names_and_types_by_node,
        "in": graph.node.get_subscriber_names_and_types_by_node,
        "service": graph.node.get_service_names_and_types_by_node,
    }
    rows = set()
    for direction, ask in asked.items():
        for name, (kind, *_) in ask(node, "/"):
            if "/_action/" in name:
                name, _, part = name.partition("/_action/")
                if part == "send_goal":
                    rows.add(("action", name, kind.removesuffix("_SendGoal")))
            elif not COMMON.search(name):
                rows.add((direction, re.sub(rf"^/(?:{CAMERAS})/", "/<camera>/", name), kind))
    return rows


@pytest.mark.parametrize("node", ["policy", "executor", "recorder", "simulator"])
def test_the_table_is_what_the_node_has(graph, node: str) -> None:
    graph.start(node)
    graph.wait(lambda: node in graph.node.get_node_names())
    expected = told(node)
    assert expected
    try:
        graph.wait(lambda: found(graph, node) == expected)
    except AssertionError:
        have = found(graph, node)
        assert sorted(have) == sorted(expected), graph.log(node)


def test_the_arbiter_s_services_are_its_sources(graph) -> None:
    """Its node runs only beside controller_manager; its services are made of this list."""
    from smolvla_ros.execution.command_source import SOURCES

    services = {name for direction, name, _ in told("arbiter") if direction == "service"}
    assert services == {f"/arbiter/{source}" for source in SOURCES}
