"""Commands that a test cannot run (an arm, a ROS host, hours) are such as their programs take."""

from __future__ import annotations

import pytest
from command_lines import WrongCommand, check
from fences import PAGES, commands, fences

BLOCKS = [fence for page in PAGES for fence in fences(page, "sh")]
LINES = [pytest.param(line, id=f"{fence}: {line[:60]}") for fence in BLOCKS for line in commands(fence)]


@pytest.mark.parametrize("line", LINES)
def test_the_program_takes_it(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "smolvla run hardware_type:=gazebo",
        "smolvla run speed:=3",
        "smolvla trian --output x",
        "so100 calibrate --no-such-option",
        "make no-such-target",
        "python -m smolvla_ros.no_such_module",
        "python -m smolvla_ros.simulation.trial --sceens 3",
        "ros2 launch smolvla_ros gone.launch.py",
        "ros2 launch smolvla_ros so100.launch.py policies:=scripted",
        "ros2 run smolvla_ros policy --ros-args -p polcy:=scripted",
        "ros2 service call /executor/puase std_srvs/srv/Trigger",
        "ros2 service call /recorder/label_episode smolvla_msgs/srv/LabelEpisode '{succeded: true}'",
        "ros2 lifecycle set /executor go",
        "docker compose -f docker/compose.gone.yaml up",
        "unheard_of --now",
    ],
)
def test_a_wrong_one_is_told(line: str) -> None:
    with pytest.raises(WrongCommand):
        check(line)
