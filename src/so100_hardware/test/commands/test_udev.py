"""`so100 udev`: the rule for an adapter that a made-up /dev and /sys show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from so100_hardware.commands import udev
from so100_hardware.workshop.serial_ports import serial_ports, usb_adapter
from usb_tree import usb_tree

Run = Callable[..., tuple[int, str]]
RULE = (
    'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="55d3", ATTRS{serial}=="5A46082819", '
    'SYMLINK+="so100_follower", GROUP="dialout", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"'
)


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Plugs in adapters of (tty, vendor, serial); the folder that stands for /dev."""

    def plug(*adapters: tuple[str, str, str]) -> Path:
        usb_tree(tmp_path, *adapters)
        monkeypatch.setattr(udev, "serial_ports", lambda: serial_ports(tmp_path))
        monkeypatch.setattr(udev, "usb_adapter", lambda tty: usb_adapter(tty, tmp_path))
        return tmp_path / "dev"

    return plug


def test_the_rule_goes_by_the_adapter_s_serial_number(so100: Run, plugged) -> None:
    code, said = so100("udev", "--port", plugged(("ttyACM0", "1a86", "5A46082819")) / "ttyACM0")
    assert code == 0
    assert said.split("\n")[0] == RULE
    assert "sudo udevadm control --reload" in said


def test_a_lasting_name_of_the_port_will_do(so100: Run, plugged) -> None:
    dev = plugged(("ttyACM0", "1a86", "5A46082819"))
    assert so100("udev", "--port", dev / "serial/by-id/usb-5A46082819")[1].split("\n")[0] == RULE


def test_the_rule_is_written_where_asked_and_named_as_asked(so100: Run, plugged, tmp_path: Path) -> None:
    port = plugged(("ttyACM0", "1a86", "5A46082819")) / "ttyACM0"
    file = tmp_path / "my.rules"
    code, said = so100("udev", "--port", port, "--name", "left_arm", "-o", file)
    assert code == 0
    assert file.read_text() == RULE.replace("so100_follower", "left_arm") + "\n"
    assert f"sudo cp {file} /etc/udev/rules.d/70-left_arm.rules" in said
    assert so100("udev", "--port", port, "-o", file)[0] == 2


@pytest.mark.parametrize(
    ("adapters", "port", "words", "message"),
    [
        ([("ttyACM0", "1a86", "5A")], "ttyACM7", [], "no such device. Ports that are there:"),
        ([("ttyUSB0", "1a86", "")], "ttyUSB0", [], "has no serial number"),
        ([("ttyACM0", "1a86", "0001"), ("ttyACM1", "1a86", "0001")], "ttyACM0", [], "ttyACM1 too"),
        ([("ttyACM0", "1a86", "5A")], "ttyACM0", ["--name", "a/b"], "--name: expected a name of letters"),
    ],
)
def test_what_no_rule_can_name_is_told(
    so100: Run, plugged, adapters: list[tuple[str, str, str]], port: str, words: list[str], message: str
) -> None:
    code, said = so100("udev", "--port", plugged(*adapters) / port, *words)
    assert code == 2
    assert message in said


def test_a_port_without_an_adapter_is_told(so100: Run, plugged) -> None:
    dev = plugged(("ttyACM0", "1a86", "5A"))
    (dev / "ttyS0").touch()
    code, said = so100("udev", "--port", dev / "ttyS0")
    assert code == 2
    assert "expected the port of a USB adapter" in said
