"""The graph under ros2 launch, on the virtual bus: it comes up; one Ctrl-C, or a part that fails, ends all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(HERE.glob("*.launch_test.py")), ids=lambda file: file.name)
def test_launch_testing_has_nothing_to_say(file: Path, ros_domain: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from launch_testing.launch_test import main; sys.exit(main())", str(file)],
        env={**os.environ, "ROS_DOMAIN_ID": str(ros_domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_interrupt_ends_all_of_it(ros2_launch: Callable) -> None:
    launched = ros2_launch("so100.launch.py", "hardware_type:=virtual")
    launched.wait_for("torque on, holding")
    launched.wait_for("policy scripted ready")
    if find_spec("controller_manager"):  # the two spawners: interrupted, they show where they were
        launched.wait_for("process has finished cleanly", times=2)
    launched.child.send_signal(signal.SIGINT)
    assert launched.finish() == 0
    assert not launched.left_behind()
    assert "Traceback" not in launched.output


def test_a_checkpoint_that_is_not_there_ends_it_with_the_reason(ros2_launch: Callable) -> None:
    launched = ros2_launch("so100.launch.py", "hardware_type:=virtual", "policy:=no/such/folder")
    assert launched.finish() == 1
    assert "no/such/folder" in launched.output
    assert "policy ended with code 2" in launched.output
    assert not launched.left_behind()
