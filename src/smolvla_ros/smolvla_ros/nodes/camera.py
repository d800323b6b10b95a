"""The camera node: one real camera of the embodiment file under its topics. For hosts without usb_cam.

ros2 run smolvla_ros camera --ros-args -r __node:=top_camera -p camera:=top -p autostart:=true
"""

from __future__ import annotations

import threading

from sensor_msgs.msg import CameraInfo

from smolvla_ros.cameras.calibration import load_calibration
from smolvla_ros.cameras.capture import Capture
from smolvla_ros.cameras.choice import CameraSource, source_of
from smolvla_ros.cameras.device import CameraError
from smolvla_ros.embodiment import Camera, EmbodimentError, load_embodiment
from smolvla_ros.nodes.camera_topics import CameraTopics
from smolvla_ros.nodes.conversions import seconds
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node

PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("camera", "top", "which of its cameras"),
    Parameter("device", "", "video device, or a video file to play over and over; empty: the embodiment file's"),
)
REOPEN_PERIOD_S = 1.0
OPERATOR_ERRORS = (CameraError, EmbodimentError)


class CameraNode(ManagedNode):
    """Configured the camera is open, active its images are published, with the moment of their arrival. One that is
    unplugged is told once and opened again when it is back.
    """

    def __init__(self) -> None:
        super().__init__("camera", PARAMETERS, OPERATOR_ERRORS)
        self._capture: Capture | None = None

    def configure(self) -> None:
        settings = self.settings
        self._source = source_of(load_embodiment(settings["embodiment"]), settings["camera"], settings["device"])
        info = camera_info(self._source.camera)
        self._capture = Capture(self._source)
        self._topics = CameraTopics(self, self._source.camera, info)
        self.get_logger().info(f"{self._source.device}: {'calibrated' if info.k[0] else 'not calibrated'}")

    def activate(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture")
        self._thread.start()

    def deactivate(self) -> None:
        self._stop.set()
        self._thread.join()

    def cleanup(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None

    # from the capture thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                capture = self._capture or Capture(self._source)
                self._capture = capture
                image = capture.read()
            except CameraError as error:
                self._lost(self._source, error)
                continue
            self._topics.publish(seconds(self.get_clock().now().to_msg()), image if self._topics.wanted else None)

    def _lost(self, source: CameraSource, error: CameraError) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None
            self.get_logger().error(f"{error}; it is opened again when it is back")
        self._stop.wait(REOPEN_PERIOD_S)


def camera_info(camera: Camera) -> CameraInfo:
    """With zeros where the lens is not calibrated, as sensor_msgs says. Raises CameraError."""
    info = CameraInfo(height=camera.height, width=camera.width)
    if camera.device is not None and camera.device.calibration is not None:
        lens = load_calibration(camera.device.calibration, camera)
        info.distortion_model, info.d = lens.distortion_model, lens.distortion.tolist()
        info.k, info.r, info.p = lens.intrinsics.ravel(), lens.rectification.ravel(), lens.projection.ravel()
    return info


def main() -> None:
    run_node(CameraNode, OPERATOR_ERRORS)


if __name__ == "__main__":
    main()
