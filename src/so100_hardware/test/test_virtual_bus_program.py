"""The program so100_virtual_bus, as `ros2 run` starts it."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

import so100_hardware
from so100_hardware import Bus, NoReplyError

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


def test_it_takes_faults_from_a_script_and_from_its_input_and_logs_them(tmp_path: Path) -> None:
    script, capture, log = tmp_path / "faults", tmp_path / "capture", tmp_path / "log"
    script.write_text("mute servo 3\n")
    command = [str(PROGRAM), "--script", str(script), "--capture", str(capture), "--log"]

    def wait_for(file: Path, text: str) -> None:
        deadline = time.monotonic() + 10.0
        while text not in file.read_text():
            assert time.monotonic() < deadline, file.read_text()
            time.sleep(0.01)

    with (
        log.open("w") as errors,
        subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as program,
    ):
        assert program.stdout is not None
        assert program.stdin is not None
        with Bus(program.stdout.readline().strip()) as bus:
            wait_for(log, "began servo 3\n")
            with pytest.raises(NoReplyError):
                bus.ping(3)
            program.stdin.write("clear mute\nnonsense\nmute servo 4\n")
            program.stdin.close()  # its end ends nothing
            wait_for(log, "ended servo 3\n")
            wait_for(log, "faults: line 1: expected one of flip bits")
            wait_for(log, "mute began servo 4\n")
            bus.ping(3)
        wait_for(capture, "> ff ff 03 02 01 f9\n")
        wait_for(capture, "< ff ff 03 02 00 fa\n")
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ids", "1,x"], "cannot use --ids 1,x"),
        (["--ids", "1,1"], "found 1 twice"),
        (["--ids"], "cannot use --ids"),
        (["--port", "/dev/x"], "cannot use --port"),
        (["--ticks", "1,2"], "start_ticks: expected 6 numbers, found 2"),
        (["--script", "/no/such/script"], "cannot read script /no/such/script"),
        (["--capture", "/no/such/folder/file"], "cannot write /no/such/folder/file"),
        (["--eeprom-write-time", "2"], "cannot use --eeprom-write-time 2"),
        (["--link", "/no/such/folder/bus"], "cannot link /no/such/folder/bus: No such file or directory"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], message: str) -> None:
    done = subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 2
    assert message in done.stderr
