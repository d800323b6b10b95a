"""A udev rule that gives an arm's adapter a name of its own."""

from __future__ import annotations

import re

from so100_hardware.workshop.serial_ports import UsbAdapter

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
RULES_FOLDER = "/etc/udev/rules.d"


def udev_rule(adapter: UsbAdapter, name: str) -> str:
    """One rule: /dev/<name> for this adapter, for the group dialout and whoever sits at the machine.

    ModemManager, which would speak to a new port for seconds, is told to leave it alone. Raises ValueError for a name
    that is none, or an adapter without a serial number.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"expected a name of letters, digits and _ for the link in /dev, found {name!r}")
    if not adapter.serial:
        raise ValueError("expected a USB adapter with a serial number, found one without")
    parts = [
        'SUBSYSTEM=="tty"',
        f'ATTRS{{idVendor}}=="{adapter.vendor}"',
        f'ATTRS{{idProduct}}=="{adapter.product}"',
        f'ATTRS{{serial}}=="{adapter.serial}"',
        f'SYMLINK+="{name}"',
        'GROUP="dialout"',
        'MODE="0660"',
        'TAG+="uaccess"',
        'ENV{ID_MM_DEVICE_IGNORE}="1"',
    ]
    return ", ".join(parts)
