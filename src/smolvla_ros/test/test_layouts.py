"""What the layouts for rviz, Foxglove and PlotJuggler name is there: topics, their types, fields, services."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes import displayed_trajectory
from smolvla_ros.nodes.tap import interface
from smolvla_ros.recording.topics import recorded_topics
from std_srvs.srv import Trigger

ROOT = Path(__file__).parents[3]
FOXGLOVE = json.loads((ROOT / "config" / "foxglove_layout.json").read_text())
PLOTJUGGLER = ET.parse(ROOT / "config" / "plotjuggler_layout.xml").getroot()
RVIZ = [
    ROOT / "src" / "so100_description" / "rviz" / "so100.rviz",
    ROOT / "src" / "so100_moveit_config" / "rviz" / "moveit.rviz",
]
ROBOT = load_embodiment()
ROW = re.compile(r"^\| (?:out |in )?`(/[\w/<>]+)` \| `?(\w+_msgs)/(?:msg/)?(\w+)`? \|", re.MULTILINE)
# rviz's display -> the type it takes; MoveIt's own topics are move_group's
RVIZ_TYPES = {"Image": "sensor_msgs/msg/Image", "MarkerArray": "visualization_msgs/msg/MarkerArray"}


def graph_topics() -> dict[str, str]:
    """{topic: type} of the READMEs' tables, which are compared with the sources; they agree with what is recorded."""
    pages = [ROOT / "README.md", *sorted((ROOT / "src").glob("*/README.md"))]
    table = ROW.findall("\n".join(page.read_text() for page in pages))
    topics = {}
    for name, package, kind in table:
        for camera in ROBOT.cameras:
            topics[name.replace("<camera>", camera.name)] = f"{package}/msg/{kind}"
    recorded = {f"/{topic.name}": topic.type for topic in recorded_topics(ROBOT, "raw")}
    assert {name: topics.get(name, "in no README") for name in recorded} == recorded
    return topics


TOPICS = graph_topics()


def check_field(message_type: str, path: str) -> None:
    """`path` as in "latency.total" or "position[0]" leads to a field that is there."""
    for part in path.split("."):
        fields = interface(message_type).get_fields_and_field_types()
        name, indexed, _ = part.partition("[")
        assert name in fields, f"{message_type} has no {name}; there are {', '.join(fields)}"
        field = fields[name]
        assert field.startswith("sequence<") == bool(indexed), f"{message_type}.{name} is {field}"
        message_type = field.removeprefix("sequence<").removesuffix(">").replace("/", "/msg/")


def panels(kind: str) -> list[dict[str, Any]]:
    return [config for name, config in FOXGLOVE["configById"].items() if name.startswith(f"{kind}!")]


def message_paths() -> Iterator[str]:
    for config in FOXGLOVE["configById"].values():
        yield from (path["value"] for path in config.get("paths", ()))
        if "topicPath" in config:
            yield config["topicPath"]


def test_foxglove_plots_fields_that_there_are() -> None:
    paths = list(message_paths())
    assert len(paths) > 12
    for path in paths:
        topic, _, field = path.partition(".")
        check_field(TOPICS[topic], field)


def test_foxglove_names_the_joints_in_the_order_of_joint_states() -> None:
    plotted = {path["value"]: path["label"] for panel in panels("Plot") for path in panel["paths"] if "label" in path}
    assert plotted == {f"/joint_states.position[{i}]": name for i, name in enumerate(ROBOT.joint_names)}


def test_foxglove_shows_every_camera_the_arm_and_the_coming_motion() -> None:
    modes = [panel["imageMode"] for panel in panels("Image")]
    assert {mode["imageTopic"] for mode in modes} == {camera.topic for camera in ROBOT.cameras}
    assert all(TOPICS[mode["calibrationTopic"]] == "sensor_msgs/msg/CameraInfo" for mode in modes)
    (scene,) = panels("3D")
    assert set(scene["topics"]) <= set(TOPICS)
    assert {"/robot_description", "/motion_display/markers"} <= set(scene["topics"])
    (diagnostics,) = panels("DiagnosticSummary")
    assert TOPICS[diagnostics["topicToRender"]] == "diagnostic_msgs/msg/DiagnosticArray"


def test_foxglove_has_the_emergency_stop() -> None:
    (stop,) = panels("CallService")
    sources = (ROOT / "src" / "smolvla_ros" / "smolvla_ros" / "nodes" / "executor.py").read_text()
    namespace, _, name = stop["serviceName"].lstrip("/").partition("/")
    assert namespace == "executor"
    assert f"def _{name}(" in sources
    assert json.loads(stop["requestPayload"]) == Trigger.Request.get_fields_and_field_types() == {}


def test_foxglove_lays_out_each_panel_once() -> None:
    def leaves(layout: Any) -> list[str]:
        return [layout] if isinstance(layout, str) else leaves(layout["first"]) + leaves(layout["second"])

    assert sorted(leaves(FOXGLOVE["layout"])) == sorted(FOXGLOVE["configById"])


def test_plotjuggler_plots_fields_that_there_are_of_topics_that_it_subscribes_to() -> None:
    subscribed = [topic.get("name") for topic in PLOTJUGGLER.iter("topic")]
    curves = [curve.get("name") for curve in PLOTJUGGLER.iter("curve")]
    assert len(curves) > 20
    for curve in curves:
        (topic,) = [name for name in subscribed if curve.startswith(f"{name}/")]
        parts = curve.removeprefix(f"{topic}/").split("/")
        if TOPICS[topic] == "sensor_msgs/msg/JointState":  # shown by joint, not by index
            assert parts[0] in ROBOT.joint_names
            parts = [f"{parts[1]}[0]"]
        check_field(TOPICS[topic], ".".join(parts))
    assert all(any(curve.startswith(f"{name}/") for curve in curves) for name in subscribed)


@pytest.mark.parametrize("file", RVIZ, ids=lambda file: file.name)
def test_rviz_displays_topics_of_their_type(file: Path) -> None:
    displays = yaml.safe_load(file.read_text())["Visualization Manager"]["Displays"]
    shown = {}
    for display in displays:
        kind = display["Class"].split("/")[1]
        if "Topic" in display:
            topic = display["Topic"]["Value"]
            assert TOPICS[topic] == RVIZ_TYPES[kind], topic
            shown[topic] = display
        if kind == "MotionPlanning":
            assert display["Planned Path"]["Trajectory Topic"] == f"/{displayed_trajectory.TOPIC}"
        if kind == "RobotModel":
            assert TOPICS[display["Description Topic"]["Value"]] == "std_msgs/msg/String"
    assert set(shown["/motion_display/markers"]["Namespaces"]) == {"chunk", "motion", "state"}
