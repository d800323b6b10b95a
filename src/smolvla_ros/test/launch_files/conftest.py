"""The launch files under ros2 launch. Only where it is installed; else pytest's header says what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDED = ("launch_ros", "ros2launch", "launch_testing")
MISSING = [name for name in NEEDED if find_spec(name) is None]
# launch_test runs the other file: pytest would take it for one of its own
collect_ignore_glob = ["*.launch_test.py", *(["test_*.py"] if MISSING else [])]
if find_spec("moveit_configs_utils") is None:
    collect_ignore_glob.append("test_move_group.py")

FOLDER = Path(__file__).parents[4] / "launch"
PATIENCE_S = 240.0


def pytest_report_collectionfinish() -> str:
    if MISSING:
        return f"test/launch_files: not collected, there is no {MISSING[0]}"
    if "test_move_group.py" in collect_ignore_glob:
        return "test/launch_files/test_move_group.py: not collected, there is no moveit_configs_utils"
    return ""


class Ros2Launch:
    """`ros2 launch` of one of the files, and all that it has said."""

    def __init__(self, file: str, words: tuple[str, ...], domain: int) -> None:
        command = "import sys; from ros2cli.cli import main; sys.exit(main())"
        self.child = subprocess.Popen(
            [sys.executable, "-c", command, "launch", str(FOLDER / file), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.output += line

    def wait_for(self, words: str, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.output.count(words) < times:
            waiting = time.monotonic() < deadline and self.child.poll() is None
            assert waiting, f"not {times} times '{words}' in:\n{self.output}"
            time.sleep(0.05)

    def finish(self) -> int:
        code = self.child.wait(PATIENCE_S)
        self._reader.join(10)
        return code

    def left_behind(self) -> bool:
        """Whether a process that it started is still there."""
        try:
            os.killpg(self.child.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        if self.left_behind():
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


@pytest.fixture
def ros2_launch(ros_domain: int) -> Iterator[Callable[..., Ros2Launch]]:
    started: list[Ros2Launch] = []

    def start(file: str, *words: str) -> Ros2Launch:
        started.append(Ros2Launch(file, words, ros_domain))
        return started[-1]

    yield start
    for launched in started:
        launched.close()
