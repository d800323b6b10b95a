"""A camera's topics: image_raw, image_raw/compressed and camera_info, as camera drivers publish them."""

from __future__ import annotations

import array

import cv2
import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from smolvla_ros.embodiment import Camera
from smolvla_ros.nodes.conversions import time_message
from smolvla_ros.nodes.exchange_qos import COMPRESSED_IMAGE

JPEG_QUALITY = 90


class CameraTopics:
    """What nobody subscribes to is neither copied nor compressed. `info` is sent with each image's stamp."""

    def __init__(self, node: Node, camera: Camera, info: CameraInfo) -> None:
        topic = camera.topic.lstrip("/")
        self._camera, self._info = camera, info
        self._raw = node.create_publisher(Image, topic, qos_profile_sensor_data)
        self._compressed = node.create_publisher(CompressedImage, f"{topic}/compressed", COMPRESSED_IMAGE)
        info_topic = "/".join([*topic.split("/")[:-1], "camera_info"])
        self._infos = node.create_publisher(CameraInfo, info_topic, qos_profile_sensor_data)

    @property
    def wanted(self) -> bool:
        return any(publisher.get_subscription_count() for publisher in (self._raw, self._compressed))

    def publish(self, stamp_s: float, image: np.ndarray | None) -> None:
        """image: (height, width, 3) uint8 RGB; None: camera_info alone."""
        camera, stamp = self._camera, time_message(stamp_s)
        self._info.header.stamp, self._info.header.frame_id = stamp, camera.frame_id
        self._infos.publish(self._info)
        if image is None:
            return
        if self._raw.get_subscription_count():
            message = Image(height=camera.height, width=camera.width, encoding="rgb8", step=3 * camera.width)
            message.header.stamp, message.header.frame_id = stamp, camera.frame_id
            # an array is taken over as it is; bytes would be checked element by element
            message.data = array.array("B", image.tobytes())
            self._raw.publish(message)
        if self._compressed.get_subscription_count():
            _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            packed = CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", jpeg.tobytes()))
            packed.header.stamp, packed.header.frame_id = stamp, camera.frame_id
            self._compressed.publish(packed)
