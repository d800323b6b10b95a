"""The program so100_virtual_bus, as `ros2 run` starts it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

import so100_hardware
from so100_hardware import Bus

PROGRAM = Path(so100_hardware.__file__).parents[4] / "lib/so100_hardware/so100_virtual_bus"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_port_serves_it_and_cleans_up(tmp_path: Path, stop: signal.Signals) -> None:
    link = tmp_path / "servo_bus"
    command = [str(PROGRAM), "--link", str(link), "--ids", "3,4", "--ticks", "100,4000", "--ros-args", "-r", "x:=y"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        port = program.stdout.readline().strip()
        assert port.startswith("/dev/pts/")
        with Bus(str(link)) as bus:
            assert bus.sync_read([3, 4], "present_position") == {3: 100, 4: 4000}
        program.send_signal(stop)
        assert program.wait(10) == 0
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ids", "1,x"], "cannot use --ids 1,x"),
        (["--ids", "1,1"], "found 1 twice"),
        (["--ids"], "cannot use --ids"),
        (["--port", "/dev/x"], "cannot use --port"),
        (["--ticks", "1,2"], "start_ticks: expected 6 numbers, found 2"),
        (["--link", "/no/such/folder/bus"], "cannot link /no/such/folder/bus: No such file or directory"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], message: str) -> None:
    done = subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 2
    assert message in done.stderr
