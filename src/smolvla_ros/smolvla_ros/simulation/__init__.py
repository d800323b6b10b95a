"""The simulated SO-100: scene, physics, cameras, tasks and their judge."""

import ctypes
import os


def _has_egl() -> bool:
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    return True


# Here, as whatever imports mujoco first must find it set: a plain host has no display, and without EGL mujoco could not
# even be imported. So there is physics everywhere, and rendering.py says what cameras need.
if os.environ.setdefault("MUJOCO_GL", "egl") == "egl" and not _has_egl():
    os.environ["MUJOCO_GL"] = "disable"
