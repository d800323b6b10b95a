"""The nodes of real cameras: usb_cam where it is installed, else this project's own `camera`, under the same topics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smolvla_ros.cameras.choice import CameraSource
from smolvla_ros.runtime.node_spec import NodeSpec

USB_CAM_FORMATS = {"mjpeg": "mjpeg2rgb", "yuyv": "yuyv2rgb"}


def camera_nodes(
    sources: Sequence[CameraSource], embodiment: str, sim_time: bool = False, usb_cam: bool = False
) -> list[NodeSpec]:
    """One node a camera, `top_camera` for top. `embodiment` is the file's path, as the nodes take it."""
    clock = {"use_sim_time": True} if sim_time else {}
    return [
        _usb_cam(source) if usb_cam and not Path(source.device).is_file() else _own(source, embodiment, clock)
        for source in sources
    ]


def _own(source: CameraSource, embodiment: str, clock: dict[str, bool]) -> NodeSpec:
    settings = {"embodiment": embodiment, "camera": source.camera.name, "device": source.device, **clock}
    return NodeSpec("smolvla_ros", "camera", _name(source), settings, managed=True)


def _usb_cam(source: CameraSource) -> NodeSpec:
    """usb_cam publishes image_raw and camera_info in its namespace, so that is the topic's. It ends where the camera is
    not there, and it decodes what two cameras have to send for both to fit on one USB controller.
    """
    camera, device = source.camera, source.camera.device
    *folders, topic = camera.topic.strip("/").split("/")
    settings = {
        "video_device": source.device,
        "camera_name": camera.name,
        "frame_id": camera.frame_id,
        "image_width": camera.width,
        "image_height": camera.height,
        "framerate": camera.rate_hz,
        "pixel_format": USB_CAM_FORMATS[device.pixel_format if device else "mjpeg"],
        "brightness": -1,  # as the camera has it; usb_cam would set another
    }
    if device is not None and device.calibration is not None:
        settings["camera_info_url"] = device.calibration.as_uri()
    renamed = [] if topic == "image_raw" else [("image_raw", topic), ("image_raw/compressed", f"{topic}/compressed")]
    return NodeSpec(
        "usb_cam",
        "usb_cam_node_exe",
        _name(source),
        settings,
        namespace="/".join(folders),
        remappings=tuple(renamed),
    )


def _name(source: CameraSource) -> str:
    return f"{source.camera.name}_camera"
