"""Every launch file loads; a wrong argument ends it with one reason. Where launch is not installed nothing is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from smolvla_ros.runtime.graph import ARGUMENTS

pytest.importorskip("launch_ros", reason="launch and launch_ros are on ROS hosts only")
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchContext

FOLDER = Path(__file__).parents[4] / "launch"
FILES = sorted(FOLDER.glob("*.launch.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_loads(file: Path) -> None:
    description = PythonLaunchDescriptionSource(str(file)).get_launch_description(LaunchContext())
    assert description.entities


def test_its_arguments_are_those_of_smolvla_run_and_each_says_what_it_is_for() -> None:
    source = PythonLaunchDescriptionSource(str(FOLDER / "so100.launch.py"))
    declared = {a.name: a for a in source.get_launch_description(LaunchContext()).get_launch_arguments()}
    assert {argument.name for argument in ARGUMENTS} <= set(declared)
    assert all(len(argument.description) > 10 for argument in declared.values())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["hardware_type:=gazebo"], 'Argument "hardware_type" provided value "gazebo" is not valid'),
        (["seed:=-1"], "seed: expected a whole number from 0, found '-1'"),
        (["side:=left"], 'Argument "side" provided value "left" is not valid'),
        (["embodiment:=/nowhere.yaml"], "embodiment file /nowhere.yaml: No such file or directory"),
    ],
)
def test_a_wrong_argument_ends_it_with_the_reason(words: list[str], reason: str) -> None:
    start = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())", "launch"]
    pytest.importorskip("ros2launch")
    done = subprocess.run(
        [*start, str(FOLDER / "so100.launch.py"), *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert reason in done.stdout + done.stderr
