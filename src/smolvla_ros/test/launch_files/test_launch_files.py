"""Every launch file loads and explains its arguments; what is wrong ends it with one reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from launch.launch_description_sources import PythonLaunchDescriptionSource
from smolvla_ros.runtime.graph import ARGUMENTS

from launch import LaunchContext

REPOSITORY = Path(__file__).parents[4]
MOVEIT = ["moveit.launch.py", "move_group.launch.py"] if find_spec("moveit_configs_utils") is None else []
FILES = sorted([*REPOSITORY.glob("launch/*.launch.py"), *REPOSITORY.glob("src/*/launch/*.launch.py")])


@pytest.mark.parametrize("file", [file for file in FILES if file.name not in MOVEIT], ids=lambda file: file.name)
def test_it_loads_and_each_argument_says_what_it_is_for(file: Path) -> None:
    description = PythonLaunchDescriptionSource(str(file)).get_launch_description(LaunchContext())
    assert description.entities
    declared = description.get_launch_arguments()
    assert declared
    assert all(len(argument.description) > 10 for argument in declared)


def test_the_arguments_are_those_of_smolvla_run() -> None:
    source = PythonLaunchDescriptionSource(str(REPOSITORY / "launch" / "so100.launch.py"))
    declared = {argument.name for argument in source.get_launch_description(LaunchContext()).get_launch_arguments()}
    assert {argument.name for argument in ARGUMENTS} <= declared


@pytest.mark.parametrize(
    ("file", "words", "reason"),
    [
        ("so100", ["hardware_type:=gazebo"], 'Argument "hardware_type" provided value "gazebo" is not valid'),
        ("so100", ["seed:=-1"], "seed: expected a whole number from 0, found '-1'"),
        ("so100", ["side:=left"], 'Argument "side" provided value "left" is not valid'),
        ("so100", ["embodiment:=/nowhere.yaml"], "embodiment file /nowhere.yaml: No such file or directory"),
        ("so100", ["prefix:=left arm"], "prefix: expected letters, digits and _"),
        ("so100", ["hardware_type:=real", "usb_port:=/dev/nowhere"], "usb_port: no such device /dev/nowhere"),
        ("so100", ["hardware_type:=virtual", "cameras:=top=/dev/nowhere"], "camera top: no such device /dev/nowhere"),
        ("so100", ["cameras:=all"], "with hardware_type:=mujoco the simulator publishes them"),
        ("teleop", ["leader_port:=/dev/nowhere"], "leader_port: no such device /dev/nowhere"),
        ("teleop", [], "leader_port"),
    ],
)
def test_a_wrong_argument_ends_it_before_anything_is_started(
    ros2_launch: Callable, file: str, words: list[str], reason: str
) -> None:
    launched = ros2_launch(f"{file}.launch.py", *words)
    assert launched.finish() == 1
    assert reason in launched.output
    assert "process started" not in launched.output
    assert not launched.left_behind()
