"""Which cameras are opened, and at which device: what the launch argument `cameras` says of the embodiment file's.

chosen_cameras("top=/dev/video4,wrist", embodiment, "real")
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from smolvla_ros.cameras.device import CameraError, check_device
from smolvla_ros.embodiment import Camera, Embodiment

AUTO, ALL, NONE = "auto", "all", "none"


@dataclass(frozen=True)
class CameraSource:
    """A camera of the embodiment file and the device, or video file, that its images come from."""

    camera: Camera
    device: str


def chosen_cameras(wanted: str, embodiment: Embodiment, hardware_type: str) -> tuple[CameraSource, ...]:
    """auto: all with a real arm, else none. Otherwise all, none, or names with commas, each with =device where it is
    not the embodiment file's.

    Raises CameraError and EmbodimentError, also where a device is not there: before anything has been started.
    """
    if wanted == NONE or (wanted == AUTO and hardware_type != "real"):
        return ()
    if hardware_type == "mujoco":
        raise CameraError(f"cameras: with hardware_type:=mujoco the simulator publishes them; found cameras:={wanted}")
    if wanted in (AUTO, ALL):
        chosen = [source_of(embodiment, camera.name) for camera in embodiment.cameras]
    else:
        pairs = [item.partition("=") for item in wanted.split(",")]
        chosen = [source_of(embodiment, name.strip(), device.strip()) for name, _, device in pairs]
    taken: dict[str, str] = {}
    for source in chosen:
        name, where = source.camera.name, os.path.realpath(source.device)
        if where in taken:
            raise CameraError(f"cameras: {taken[where]} and {name}: expected two devices, found {source.device} twice")
        taken[where] = name
        try:
            check_device(source.device)
        except CameraError as error:
            raise CameraError(f"camera {name}: {error}; name its own by cameras:={name}=DEVICE") from None
    return tuple(chosen)


def source_of(embodiment: Embodiment, name: str, device: str = "") -> CameraSource:
    """The device is the embodiment file's where none is named. Raises CameraError and EmbodimentError."""
    camera = embodiment.camera(name)
    if not device and camera.device is None:
        raise CameraError(
            f"{embodiment.path}: cameras[{name}].device: missing; write {{path: /dev/video0}} there, give "
            f"cameras:={name}=/dev/video0, or cameras:=none where something else publishes {camera.topic}"
        )
    return CameraSource(camera, device or camera.device.path)  # type: ignore[union-attr]
