"""Video devices of Linux: which there are, and why one cannot be used.

check_device("/dev/video0")     # raises CameraError
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

SYSFS = Path("/sys/class/video4linux")
QUERY_CAPABILITIES = 0x80685600
"""VIDIOC_QUERYCAP of linux/videodev2.h."""
CAPABILITIES = struct.Struct("16s 32s 32s I I I 12x")
"""struct v4l2_capability: driver, card, bus, version, what all of its devices can do, what this one can."""
VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE = 0x1, 0x1000


class CameraError(RuntimeError):
    """A camera that is not there or not as the embodiment file says: what was expected, what was found, what to do."""


def check_device(path: str, sysfs: Path = SYSFS) -> None:
    """Raises CameraError where no images can be captured from it. A video file passes: it is played as a camera."""
    if not Path(path).exists():
        raise CameraError(f"no such device {path}; {_there_are(sysfs)}")
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        raise CameraError(f"{path}: no permission; `sudo usermod -aG video $USER`, then log in again") from None
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror or error}; {_there_are(sysfs)}") from None
    try:
        if Path(path).is_file():
            return
        answer = fcntl.ioctl(file, QUERY_CAPABILITIES, bytes(CAPABILITIES.size))
    except OSError:
        raise CameraError(f"{path}: expected a video device, found something else; {_there_are(sysfs)}") from None
    finally:
        os.close(file)
    if not CAPABILITIES.unpack(answer)[-1] & (VIDEO_CAPTURE | VIDEO_CAPTURE_MPLANE):
        raise CameraError(
            f"{path} captures no images (a camera's second device holds what it says of them); {_there_are(sysfs)}"
        )


def _there_are(sysfs: Path) -> str:
    names = {f"/dev/{folder.name}": (folder / "name").read_text().strip() for folder in sorted(sysfs.glob("video*"))}
    if not names:
        return "no camera is plugged in"
    return "there are: " + ", ".join(f"{device} ({name})" for device, name in names.items())
