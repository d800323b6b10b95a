"""A /dev and a /sys with USB adapters in them."""

from __future__ import annotations

from pathlib import Path


def usb_tree(root: Path, *adapters: tuple[str, str, str]) -> None:
    """A /dev and /sys with ports of (name, vendor, serial)."""
    for name, vendor, serial in adapters:
        usb = root / "sys/devices/usb1" / name
        (usb / "interface/tty").mkdir(parents=True)
        for file, text in (("idVendor", vendor), ("idProduct", "55d3"), ("serial", serial), ("product", "USB Serial")):
            (usb / file).write_text(text + "\n")
        folder = root / "sys/class/tty" / name
        folder.mkdir(parents=True)
        (folder / "device").symlink_to(usb / "interface")
        (root / "dev/serial/by-id").mkdir(parents=True, exist_ok=True)
        (root / "dev" / name).touch()
        link = root / "dev/serial/by-id" / f"usb-{serial}"
        link.unlink(missing_ok=True)  # of two adapters that say the same, the later has the name
        link.symlink_to(root / "dev" / name)
