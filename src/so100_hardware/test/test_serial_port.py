from __future__ import annotations

import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from so100_hardware import (
    BadRequestError,
    Bus,
    MissingServoError,
    NoBusError,
    NotASerialPortError,
    PortInUseError,
    PortNotFoundError,
    ServoGroup,
    ServoJoint,
    VirtualBus,
)

TIOCGEXCL = 0x80045440


def exclusive(port: str) -> bool:
    try:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:  # what all but root get
        return error.errno == errno.EBUSY
    try:
        return bool(struct.unpack("i", fcntl.ioctl(fd, TIOCGEXCL, struct.pack("i", 0)))[0])
    finally:
        os.close(fd)


def wait_until_not_exclusive(port: str) -> None:
    deadline = time.monotonic() + 10.0
    while exclusive(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PortNotFoundError, match=r"no such device.*set usb_port"):
        Bus(str(tmp_path / "ttyACM0"))


@pytest.mark.parametrize("kind", ["file", "folder", "device"])
def test_a_path_that_is_no_serial_device(tmp_path: Path, kind: str) -> None:
    path = {"file": tmp_path / "file", "folder": tmp_path, "device": Path("/dev/null")}[kind]
    if kind == "file":
        path.write_text("text")
    with pytest.raises(NotASerialPortError, match="serial device"):
        Bus(str(path))
    assert kind != "file" or path.read_text() == "text"


def test_a_device_that_the_user_may_not_open(tmp_path: Path) -> None:
    """As root every file opens, so the attempt is made by a process without the right to."""
    with VirtualBus() as virtual:
        os.chmod(virtual.port, 0)
        script = (
            "import os, sys\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "try: Bus(sys.argv[1])\n"
            "except PortPermissionError as error: print(error)\n"
        )
        # imported before the right to read the package may go
        script = "from so100_hardware import Bus, PortPermissionError\n" + script
        done = subprocess.run([sys.executable, "-c", script, virtual.port], capture_output=True, text=True, check=False)
    assert "permission denied" in done.stdout, done.stderr
    assert "dialout" in done.stdout


def test_a_second_driver_is_refused_and_told_who_holds_the_port(virtual: VirtualBus) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom so100_hardware import Bus\nbus = Bus(sys.argv[1])\nprint('open', flush=True)\ninput()",
            virtual.port,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(PortInUseError, match=rf"already in use by process.* {holder.pid} \(python"):
        Bus(virtual.port)
    assert exclusive(virtual.port)
    holder.kill()  # even a driver that could not clean up frees the port
    holder.wait()
    wait_until_not_exclusive(virtual.port)
    with Bus(virtual.port) as bus:
        bus.ping(1)


def test_the_mark_of_a_killed_driver_is_removed_from_an_idle_virtual_bus(virtual: VirtualBus) -> None:
    """Else only root could open the pseudo-terminal again."""
    script = "import os, sys\nfrom so100_hardware import Bus\nbus = Bus(sys.argv[1])\nos.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, virtual.port], check=False)
    assert exclusive(virtual.port)
    wait_until_not_exclusive(virtual.port)


def test_a_serial_device_without_servos() -> None:
    master, slave = pty.openpty()  # nobody reads the other end: a modem, a GPS receiver
    try:
        with Bus(os.ttyname(slave), retries=0) as bus:
            group = ServoGroup(bus, [ServoJoint("a", 1, 1, 2047, (0, 4095), (-3.0, 3.0))])
            with pytest.raises(NoBusError, match=r"nothing answers.*not the arm's port.*no power.*baud_rate"):
                group.check_servos()
    finally:
        os.close(master)
        os.close(slave)


def test_a_servo_that_is_missing_is_named(virtual: VirtualBus, group) -> None:
    virtual.inject_fault("mute servo 4")
    with pytest.raises(MissingServoError, match=r"no answer from servo 4 \(wrist_flex\), but from 5 other"):
        group.check_servos()


@pytest.mark.parametrize(("code", "baud_rate"), [(7, 19200), (3, 128000), (2, 250000), (0, 1000000)])
def test_any_baud_rate_of_the_servos_is_taken(virtual: VirtualBus, code: int, baud_rate: int) -> None:
    virtual.set(6, "baud_rate", code)
    with Bus(virtual.port, baud_rate) as bus:
        bus.ping(6)


def test_a_baud_rate_that_is_none(virtual: VirtualBus) -> None:
    with pytest.raises(BadRequestError, match="baud_rate: expected a positive number, found 0"):
        Bus(virtual.port, 0)
    with pytest.raises(BadRequestError, match="retries: expected 0 to 10, found 11"):
        Bus(virtual.port, retries=11)
