from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from smolvla_ros.embodiment import DEFAULT_FILE
from smolvla_ros.nodes.conversions import image_array


def video(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (640, 480))
    for _ in range(10):
        writer.write(np.full((480, 640, 3), (0, 0, 250), np.uint8))
    writer.release()
    return path


def embodiment(folder: Path) -> Path:
    """The SO-100 as the left of two arms."""
    raw = {**yaml.safe_load(DEFAULT_FILE.read_text()), "prefix": "left_"}
    (folder / "left.yaml").write_text(yaml.safe_dump(raw))
    return folder / "left.yaml"


def test_a_camera_publishes_images_and_camera_info_and_ends_with_its_node(graph) -> None:
    device = video(graph.folder / "top.avi")
    graph.start("camera", camera="top", device=str(device), embodiment=str(embodiment(graph.folder)))
    got: dict = {}
    for kind, topic in (
        (Image, "top/image_raw"),
        (CompressedImage, "top/image_raw/compressed"),
        (CameraInfo, "top/camera_info"),
    ):
        graph.node.create_subscription(
            kind, topic, lambda message, topic=topic: got.update({topic: message}), qos_profile_sensor_data
        )
    graph.wait(lambda: len(got) == 3)
    for topic in ("top/image_raw", "top/image_raw/compressed"):
        assert got[topic].header.frame_id == "left_top_camera_optical_frame"
        red, _, blue = image_array(got[topic]).mean(axis=(0, 1))
        assert red > 200 > 50 > blue
    info = got["top/camera_info"]
    assert (info.width, info.height, info.k[0]) == (640, 480, 0.0)  # not calibrated
    assert graph.stop("camera") == 0
    assert "Traceback" not in graph.log("camera")


def test_no_camera_ends_the_node_with_one_reason(graph) -> None:
    child = graph.start("camera", camera="top", device="/dev/nowhere")
    assert child.wait(30) == 2
    assert "no such device /dev/nowhere" in graph.log("camera")
    assert "Traceback" not in graph.log("camera")
