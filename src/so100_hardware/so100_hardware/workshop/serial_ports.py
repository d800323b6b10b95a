"""The serial ports that are plugged in, and what their USB adapters say of themselves. Opens nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# USB vendors of the serial chips on servo boards: WCH (Waveshare's and most others), Silicon Labs, FTDI.
SERVO_BOARD_VENDORS = ("1a86", "10c4", "0403")


@dataclass(frozen=True)
class UsbAdapter:
    """What the device behind a port tells; texts are empty where it does not."""

    vendor: str  # four hexadecimal digits
    product: str
    serial: str
    name: str


@dataclass(frozen=True)
class SerialPort:
    """A port. `lasting_path` stays the same when it is plugged in again; the device's path where there is none."""

    device: str
    lasting_path: str
    adapter: UsbAdapter | None

    @property
    def may_be_an_arm(self) -> bool:
        """Whether its chip is one that servo boards have: others are better left alone."""
        return self.adapter is not None and self.adapter.vendor in SERVO_BOARD_VENDORS


def serial_ports(root: Path = Path("/")) -> list[SerialPort]:
    """ttyACM* and ttyUSB* with their names of /dev/serial/by-id. `root` is another one in tests."""
    dev = root / "dev"
    by_id = dev / "serial" / "by-id"
    lasting = {os.path.realpath(link): str(link) for link in sorted(by_id.glob("*"))} if by_id.is_dir() else {}
    devices = sorted([*dev.glob("ttyACM*"), *dev.glob("ttyUSB*")])
    return [
        SerialPort(str(device), lasting.get(os.path.realpath(device), str(device)), usb_adapter(device.name, root))
        for device in devices
    ]


def usb_adapter(tty: str, root: Path = Path("/")) -> UsbAdapter | None:
    """The USB device behind /dev/<tty>, None for what is none."""
    device = root / "sys" / "class" / "tty" / tty / "device"
    if not device.exists():
        return None
    for folder in (path := Path(os.path.realpath(device)), *path.parents):
        if (folder / "idVendor").is_file():
            return UsbAdapter(*(_line(folder / name) for name in ("idVendor", "idProduct", "serial", "product")))
    return None


def _line(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
