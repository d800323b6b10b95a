"""A leader arm leads, the terminal says when to record, and the bag becomes a dataset: no policy anywhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from smolvla_ros.embodiment import DEFAULT_FILE

from so100_hardware import VirtualBus

PATIENCE_S = 180.0
SMOLVLA = [sys.executable, "-m", "smolvla_ros.cli"]


@pytest.fixture
def filmed(tmp_path: Path) -> Path:
    """An embodiment file of the left of two arms, whose cameras are small videos."""
    raw = {**yaml.safe_load(DEFAULT_FILE.read_text()), "prefix": "left_"}
    for camera in raw["cameras"]:
        path = tmp_path / f"{camera['name']}.avi"
        camera.update(width=64, height=48, device={"path": str(path)})
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
        for i in range(30):
            writer.write(np.full((48, 64, 3), 8 * i, np.uint8))
        writer.release()
    (tmp_path / "robot.yaml").write_text(yaml.safe_dump(raw))
    return tmp_path / "robot.yaml"


class Terminal:
    """`smolvla run` with somebody at the keyboard."""

    def __init__(self, folder: Path, domain: int, *words: str) -> None:
        self.child = subprocess.Popen(
            [*SMOLVLA, "run", "--output", str(folder / "out"), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
            # a shell's background jobs are deaf to Ctrl-C, and so are their children
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.output += line

    def type(self, line: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{line}\n")

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.output):
            waiting = time.monotonic() < deadline and self.child.poll() is None
            assert waiting, f"no '{pattern}' in:\n{self.output}"
            time.sleep(0.05)

    def stop(self) -> int:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        code = self.child.wait(PATIENCE_S)
        self._reader.join(10)
        return code


@pytest.fixture
def led(tmp_path: Path, ros_domain: int, filmed: Path) -> Iterator[Terminal]:
    with VirtualBus() as leader:
        for servo_id in range(1, 7):
            leader.set(servo_id, "return_delay_time", 0)
        words = [f"leader_port:={leader.port}", f"embodiment:={filmed}", f"record_folder:={tmp_path / 'bags'}"]
        said = ["hardware_type:=virtual", "cameras:=all", "record:=true", "instruction:=wave"]
        terminal = Terminal(tmp_path, ros_domain, *said, *words)
        yield terminal
        terminal.stop()


def test_what_a_leader_shows_is_recorded_when_the_terminal_says_so_and_becomes_a_dataset(
    led: Terminal, tmp_path: Path
) -> None:
    led.wait_for("Enter begins an episode")
    time.sleep(1.0)  # the recorder wants a moment of every topic
    led.type("")
    led.wait_for("recording: wave")
    time.sleep(2.0)
    led.type("")
    led.wait_for("kept .*messages, 0 lost")
    led.type("")
    led.wait_for("(?s)recording: wave.*recording: wave")
    led.type("d")
    led.wait_for("discarded")
    assert led.stop() == 0, led.output
    assert "Traceback" not in led.output
    (bag,) = [folder for folder in (tmp_path / "bags").iterdir() if folder.is_dir()]
    convert = ["dataset", "convert", str(bag.parent), "--output", str(tmp_path / "dataset"), "--max-age", "5"]
    done = subprocess.run([*SMOLVLA, *convert], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 episodes" in done.stdout
