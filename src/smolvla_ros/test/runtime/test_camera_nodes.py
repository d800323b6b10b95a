from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from smolvla_ros.cameras.choice import CameraSource
from smolvla_ros.embodiment import Camera, CameraDevice, load_embodiment
from smolvla_ros.runtime.camera_nodes import camera_nodes
from smolvla_ros.runtime.graph import graph, parse_arguments

TOP = load_embodiment().camera("top")
DEVICE = "/dev/null"


@pytest.fixture
def calibrated() -> Camera:
    return replace(TOP, topic="/rig/top/picture", device=CameraDevice(DEVICE, "yuyv", Path("/etc/top.yaml")))


def test_this_project_s_own_node_is_told_camera_and_device() -> None:
    (node,) = camera_nodes([CameraSource(TOP, DEVICE)], "robot.yaml", sim_time=True)
    assert (node.package, node.executable, node.name, node.managed) == ("smolvla_ros", "camera", "top_camera", True)
    assert node.parameters == {"embodiment": "robot.yaml", "camera": "top", "device": DEVICE, "use_sim_time": True}


def test_usb_cam_publishes_in_the_topic_s_namespace_what_the_embodiment_says(calibrated: Camera) -> None:
    (plain,) = camera_nodes([CameraSource(TOP, DEVICE)], "robot.yaml", usb_cam=True)
    assert (plain.package, plain.namespace, plain.remappings) == ("usb_cam", "top", ())
    assert (plain.parameters["pixel_format"], plain.parameters["framerate"]) == ("mjpeg2rgb", 30.0)
    assert "camera_info_url" not in plain.parameters
    (node,) = camera_nodes([CameraSource(calibrated, DEVICE)], "robot.yaml", usb_cam=True)
    assert node.namespace == "rig/top"
    assert ("image_raw", "picture") in node.remappings
    assert node.parameters["camera_info_url"] == "file:///etc/top.yaml"
    assert (node.parameters["pixel_format"], node.parameters["video_device"]) == ("yuyv2rgb", DEVICE)
    assert (node.parameters["image_width"], node.parameters["frame_id"]) == (640, "top_camera_optical_frame")


def test_a_video_file_is_played_by_this_project_s_node(tmp_path: Path) -> None:
    (tmp_path / "top.avi").touch()
    (node,) = camera_nodes([CameraSource(TOP, str(tmp_path / "top.avi"))], "", usb_cam=True)
    assert node.package == "smolvla_ros"


def test_cameras_stand_in_the_graph_behind_the_driver() -> None:
    cameras = camera_nodes([CameraSource(TOP, DEVICE)], "")
    nodes = graph(parse_arguments(["hardware_type:=virtual"]), "<robot/>", "/tmp/bus", cameras=cameras)
    assert [node.name for node in nodes] == ["so100_virtual_bus", "so100_driver", "top_camera", "policy", "executor"]
