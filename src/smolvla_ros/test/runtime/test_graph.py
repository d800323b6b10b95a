from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.runtime.graph import ARGUMENTS, CONTROLLERS_FILE, ArgumentError, graph, parse_arguments, serial_port
from smolvla_ros.runtime.processes import prepare_environment

ROBOT = load_embodiment()


def names(*words: str) -> list[str]:
    return [node.name for node in graph(parse_arguments(words), "<robot/>", "/dev/null")]


def test_the_simulated_graph_has_every_box_of_the_picture() -> None:
    assert names("hardware_type:=mujoco") == ["simulator", "so100_driver", "policy", "executor"]


def test_the_recorder_is_there_on_request_and_records_each_task() -> None:
    assert names("record:=true")[-1] == "recorder"
    arguments = parse_arguments(["record:=true", "record_folder:=/data", "record_images:=compressed"])
    recorder = graph(arguments, "<robot/>", "/dev/null")[-1]
    assert recorder.parameters["automatic"] is True
    assert recorder.parameters["folder"] == "/data"
    assert recorder.parameters["image_transport"] == "compressed"


def test_the_coming_motion_is_shown_on_request_and_for_rviz() -> None:
    assert "motion_display" not in names()
    assert "motion_display" in names("display:=true")
    assert "motion_display" in names("use_rviz:=true")
    assert names("side:=policy", "display:=true") == ["policy"]


def test_a_real_arm_needs_no_simulator() -> None:
    assert names("hardware_type:=real") == ["so100_driver", "policy", "executor"]


@pytest.mark.parametrize("hardware_type", ["mujoco", "real", "virtual"])
def test_with_ros2_control_the_driver_gives_way_to_the_controller_manager(hardware_type: str) -> None:
    arguments = parse_arguments([f"hardware_type:={hardware_type}"])
    nodes = {node.name: node for node in graph(arguments, "<robot/>", "/dev/null", CONTROLLERS_FILE)}
    assert "so100_driver" not in nodes
    assert nodes["controller_manager"].parameter_file == CONTROLLERS_FILE
    assert "arbiter" in nodes
    spawned = {
        word: "--inactive" in node.arguments
        for node in nodes.values()
        if node.executable == "spawner"
        for word in node.arguments
        if word.endswith(("_controller", "_broadcaster"))
    }
    loaded = yaml.safe_load(CONTROLLERS_FILE.read_text())["controller_manager"]["ros__parameters"]
    assert set(spawned) == {name for name, value in loaded.items() if isinstance(value, dict) and "type" in value}
    active = {name for name, inactive in spawned.items() if not inactive}
    assert active == {"joint_state_broadcaster", "joint_trajectory_controller"}
    assert all(not node.lasting for node in nodes.values() if node.executable == "spawner")


def test_without_real_time_driver_policy_and_executor_run_as_other_processes_do() -> None:
    with_priority = ["so100_driver", "policy", "executor"]
    nodes = graph(parse_arguments(["real_time:=false"]), "<robot/>", "/tmp/bus")
    assert [node.name for node in nodes if node.parameters.get("thread_priority") == 0] == with_priority
    nodes = graph(parse_arguments([]), "<robot/>", "/tmp/bus")
    assert not any("thread_priority" in node.parameters for node in nodes)


def test_a_leader_takes_the_place_of_policy_and_executor() -> None:
    assert names("leader_port:=/dev/a") == ["simulator", "so100_driver", "so100_leader"]
    arms = ["leader_port:=/dev/a", "leader_embodiment:=l.yaml", "embodiment:=f.yaml"]
    words = [*arms, "record:=true", "instruction:=wave"]
    nodes = {node.name: node.parameters for node in graph(parse_arguments(words), "<robot/>", "/tmp/bus")}
    leader = {"usb_port": "/dev/a", "embodiment": "f.yaml", "leader_embodiment": "l.yaml"}
    assert nodes["so100_leader"] == leader
    assert nodes["recorder"]["instruction"] == "wave"
    assert "automatic" not in nodes["recorder"]


def test_a_port_that_is_not_there_is_told_before_anything_starts() -> None:
    for word in ("usb_port", "leader_port"):
        with pytest.raises(ArgumentError, match=rf"{word}: no such device /dev/nowhere; there (are|is none)"):
            serial_port(parse_arguments(["hardware_type:=real", f"{word}:=/dev/nowhere"]), ROBOT, Path("/run/x"))


def test_arguments_reach_the_nodes() -> None:
    arguments = parse_arguments(["policy:=/some/folder", "device:=cuda", "seed:=5"])
    nodes = {node.name: node for node in graph(arguments, "<robot/>", "/tmp/bus")}
    assert nodes["policy"].parameters["policy"] == "/some/folder"
    assert nodes["policy"].parameters["device"] == "cuda"
    assert nodes["simulator"].parameters["seed"] == 5
    assert nodes["simulator"].parameters["usb_port"] == "/tmp/bus"
    assert nodes["so100_driver"].parameters["robot_description"] == "<robot/>"


def test_with_simulated_time_the_simulator_has_the_clock_and_all_others_follow_it() -> None:
    nodes = graph(parse_arguments(["use_sim_time:=true"]), "<robot/>", "/tmp/bus")
    followers = {node.name for node in nodes if node.parameters.get("use_sim_time")}
    assert followers == {"so100_driver", "policy", "executor"}
    assert nodes[0].parameters["publish_clock"] is True
    assert not any("use_sim_time" in node.parameters for node in graph(parse_arguments([]), "<robot/>", "/tmp/bus"))


def test_two_machines_share_the_nodes_and_the_policy_takes_images_for_a_network() -> None:
    assert names("side:=robot") == ["simulator", "so100_driver", "executor"]
    assert names("side:=policy") == ["policy"]
    (policy,) = graph(parse_arguments(["side:=policy", "robots:=left,right"]), "", "")
    assert policy.parameters["robots"] == ["left", "right"]
    assert policy.parameters["image_transport"] == "compressed"
    assert policy.parameters["image_reliability"] == "reliable"
    (alone,) = [node for node in graph(parse_arguments([]), "", "") if node.name == "policy"]
    assert alone.parameters["robots"] == [""]
    assert "image_transport" not in alone.parameters


def test_discovery_leaves_the_host_only_where_the_other_side_is_elsewhere() -> None:
    here: dict[str, str] = {}
    prepare_environment(here)
    assert here["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    elsewhere = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT"}
    prepare_environment(elsewhere, over_network=True)
    assert elsewhere["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT"
    profiles = [Path(each["FASTRTPS_DEFAULT_PROFILES_FILE"]) for each in (here, elsewhere)]
    assert [path.name for path in profiles] == ["fastdds.xml", "fastdds_network.xml"]
    assert all(path.exists() for path in profiles)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hardware_type:=gazebo", "expected one of mujoco, real, virtual, mock_components, found 'gazebo'"),
        ("colour:=red", "no launch argument 'colour'; there are: hardware_type"),
        ("--policy", "expected name:=value, found '--policy'"),
        ("seed:=-1", "expected a whole number from 0, found '-1'"),
    ],
)
def test_a_wrong_argument_is_told_with_expected_and_found(word: str, told: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_arguments([word])
    assert told in str(caught.value)


def test_every_argument_says_what_it_is_for() -> None:
    for argument in ARGUMENTS:
        assert len(argument.description) > 10
        assert not argument.choices or argument.default in argument.choices


def test_the_serial_port_is_the_arms_or_the_simulators() -> None:
    run_folder = Path("/run/x")
    named = parse_arguments(["hardware_type:=real", "usb_port:=/dev/null"])
    assert serial_port(named, ROBOT, run_folder) == "/dev/null"
    at_null = replace(ROBOT, bus=replace(ROBOT.bus, usb_port="/dev/null"))
    assert serial_port(parse_arguments(["hardware_type:=real"]), at_null, run_folder) == "/dev/null"
    assert serial_port(parse_arguments([]), ROBOT, run_folder) == "/run/x/servo_bus"
