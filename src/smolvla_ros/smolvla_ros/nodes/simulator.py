"""The simulator node: the world in real time, its cameras as topics, its servo bus as a pseudo-terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from smolvla_msgs.msg import SceneState
from smolvla_msgs.srv import EvaluateTask, InjectFault, ResetScene
from smolvla_ros.embodiment import Camera, EmbodimentError, load_embodiment
from smolvla_ros.nodes.camera_topics import CameraTopics
from smolvla_ros.nodes.conversions import seconds, time_message
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.policies.interface import ObjectPose
from smolvla_ros.simulation.arm_model import ModelMissing
from smolvla_ros.simulation.live_world import LiveWorld
from smolvla_ros.simulation.rendering import NoRenderer, intrinsics
from smolvla_ros.simulation.scene import PICK_AND_PLACE, marker_colour, marker_lift, marker_size, mount_of
from smolvla_ros.simulation.tasks import PICK_AND_PLACE as PICK_AND_PLACE_TASK
from smolvla_ros.simulation.tasks import instructions
from smolvla_ros.simulation.world import UnknownTask
from so100_hardware import BusError

PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("usb_port", "", "link to make to the servo bus's pseudo-terminal; empty: none"),
    Parameter("seed", 0, "seed of the first scene", (0, 2**31 - 1)),
    Parameter("publish_clock", False, "simulated time as /clock, for nodes with use_sim_time, and in all stamps"),
)
FRAME = "world"
CLOCK = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
SCENE_PERIOD_S, MARKER_PERIOD_S = 1 / 30, 0.2
DRAWING_TIMEOUT_S = 30.0
OPERATOR_ERRORS = (BusError, EmbodimentError, ModelMissing, NoRenderer)


class SimulatorNode(ManagedNode):
    """Configured the world runs behind its servo bus, active its cameras and its scene are published."""

    def __init__(self) -> None:
        super().__init__("simulator", PARAMETERS, OPERATOR_ERRORS)
        self._live: Any = None
        self._clock_topic: Any = None
        self._elapsed_s = 0.0
        self._shown = False

    def configure(self) -> None:
        settings = self.settings
        embodiment = load_embodiment(settings["embodiment"])

        def info(camera: Camera) -> CameraInfo:
            return _camera_info(camera, mount_of(embodiment, camera).fovy_deg)

        self._cameras = {camera.name: CameraTopics(self, camera, info(camera)) for camera in embodiment.cameras}
        self._frame = embodiment.prefix + FRAME
        self._scene = self.create_publisher(SceneState, "simulator/scene", qos_profile_sensor_data)
        self._markers = self.create_publisher(MarkerArray, "simulator/markers", QoSProfile(depth=1))
        self._clock_topic = self.create_publisher(ClockMessage, "/clock", CLOCK) if settings["publish_clock"] else None
        self._live = LiveWorld(
            embodiment,
            settings["usb_port"],
            settings["seed"],
            self._now_s,
            self._publish_frame,
            self._wanted,
            self._publish_clock if self._clock_topic is not None else None,
        )
        self._live.wait_until_drawn(DRAWING_TIMEOUT_S)
        self.get_logger().info(f"servo bus at {settings['usb_port'] or self._live.bus.port}, scene {settings['seed']}")

    def activate(self) -> None:
        self._shown = True
        self.create_service(ResetScene, "simulator/reset", self._reset)
        self.create_service(EvaluateTask, "simulator/evaluate_task", self._evaluate)
        self.create_service(InjectFault, "simulator/inject_fault", self._inject_fault)
        self.create_timer(SCENE_PERIOD_S, self._publish_scene)
        self.create_timer(MARKER_PERIOD_S, self._publish_markers)

    def deactivate(self) -> None:
        self._shown = False

    def cleanup(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = self._clock_topic = None

    def _now_s(self) -> float:
        """Of the simulated clock, where it is published."""
        if self._clock_topic is not None:
            return self._elapsed_s
        return seconds(self.get_clock().now().to_msg())

    # from the physics thread

    def _publish_clock(self, elapsed_s: float) -> None:
        self._elapsed_s = elapsed_s
        self._clock_topic.publish(ClockMessage(clock=time_message(elapsed_s)))

    # from the drawing thread

    def _wanted(self, camera: str) -> bool:
        return self._shown and self._cameras[camera].wanted

    def _publish_frame(self, name: str, stamp_s: float, image: np.ndarray | None) -> None:
        if self._shown:
            self._cameras[name].publish(stamp_s, image)

    # timers and services

    def _publish_scene(self) -> None:
        self._live.check()
        snapshot = self._live.snapshot
        message = SceneState(
            seed=snapshot.seed,
            sim_time=snapshot.sim_time_s,
            real_time_factor=self._live.real_time_factor,
            object_names=list(snapshot.objects),
            object_poses=[_pose(pose) for pose in snapshot.objects.values()],
            image_rates=list(self._live.image_rates.values()),
        )
        message.header.stamp, message.header.frame_id = time_message(snapshot.stamp_s), self._frame
        self._scene.publish(message)

    def _publish_markers(self) -> None:
        if not self._markers.get_subscription_count():
            return
        snapshot = self._live.snapshot
        markers = MarkerArray()
        for item in PICK_AND_PLACE:
            red, green, blue, alpha = marker_colour(item)
            x, y, z = marker_size(item)
            marker = Marker(ns=item.name, type=Marker.CUBE, action=Marker.ADD, pose=_pose(snapshot.objects[item.name]))
            marker.pose.position.z += marker_lift(item)
            marker.header.stamp, marker.header.frame_id = time_message(snapshot.stamp_s), self._frame
            marker.color, marker.scale = ColorRGBA(r=red, g=green, b=blue, a=alpha), Vector3(x=x, y=y, z=z)
            markers.markers.append(marker)
        self._markers.publish(markers)

    def _reset(self, request: Any, response: Any) -> Any:
        try:
            objects, pushed = self._live.reset(request.seed, request.task)
        except UnknownTask as error:
            response.message = str(error)
            return response
        response.success, response.instructions = True, instructions(objects, request.task or PICK_AND_PLACE_TASK)
        response.message = f"scene {request.seed}"
        if pushed:
            response.message += (
                f", but the arm stood in the way of: {', '.join(pushed)}; bring it home, then reset again"
            )
        return response

    def _evaluate(self, request: Any, response: Any) -> Any:
        verdict = self._live.judge(request.instruction)
        response.understood, response.done, response.message = verdict.understood, verdict.done, verdict.message
        return response

    def _inject_fault(self, request: Any, response: Any) -> Any:
        try:
            self._live.bus.inject_fault(request.script)
        except BusError as error:
            response.message = str(error)
            return response
        response.success = True
        self.get_logger().info(f"fault injected: {request.script.strip()}")
        return response


def _pose(pose: ObjectPose) -> Pose:
    (x, y, z), (qw, qx, qy, qz) = pose.position.tolist(), pose.quaternion.tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(w=qw, x=qx, y=qy, z=qz))


def _camera_info(camera: Camera, fovy_deg: float) -> CameraInfo:
    """An ideal pinhole camera."""
    matrix = intrinsics(fovy_deg, camera.width, camera.height)
    return CameraInfo(
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=matrix.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([matrix, np.zeros((3, 1))]).ravel(),
    )


def main() -> None:
    run_node(SimulatorNode, OPERATOR_ERRORS)


if __name__ == "__main__":
    main()
