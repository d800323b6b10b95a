from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
from played_arm import ROBOT, TASK, Arm
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from smolvla_ros.nodes.conversions import time_message
from smolvla_ros.nodes.live_view import LiveView
from smolvla_ros.simulation.arm import arm_of

from smolvla_msgs.msg import ExecutorState


class Kept:
    """A view that keeps what it is given."""

    def __init__(self) -> None:
        self.shown = defaultdict(list)
        for name in ("image", "joints", "chunk", "motion", "state"):
            setattr(self, name, lambda *values, name=name: self.shown[name].append(values))


def test_a_viewer_gets_images_joints_chunks_what_is_sent_and_the_executors_state(graph) -> None:
    graph.start("executor")
    arm, view = Arm(graph), Kept()
    arm.swing_rad = 0.1
    camera = ROBOT.cameras[0]
    publisher = graph.node.create_publisher(Image, camera.topic, qos_profile_sensor_data)

    def look() -> None:
        image = Image(height=2, width=3, encoding="rgb8", step=9, data=bytes(range(18)))
        image.header.stamp = time_message(time.time())
        publisher.publish(image)

    graph.node.create_timer(0.05, look)
    live = LiveView(ROBOT, view, context=graph.node.context)
    graph.node.executor.add_node(live)
    arm.give()
    arm.wait_mode(ExecutorState.MODE_RUNNING)
    graph.wait(lambda: len(view.shown) == 5 and any(state[1] == "running" for state in view.shown["state"]))
    graph.wait(lambda: len(view.shown["image"]) > 2)
    live.destroy_node()
    name, stamp_s, image = view.shown["image"][0]
    assert name == camera.name
    assert image.tolist() == np.arange(18).reshape(2, 3, 3).tolist()
    assert len({stamp for _, stamp, _ in view.shown["image"]}) == len(view.shown["image"])
    np.testing.assert_allclose(view.shown["joints"][0][1], ROBOT.home_rad)
    stamps_s, rows, way = view.shown["chunk"][0]
    np.testing.assert_allclose(np.diff(stamps_s), 1 / 30, atol=1e-6)
    np.testing.assert_allclose(way, arm_of(ROBOT).kinematics.pinch_path(rows))
    assert rows.shape == (50, 6)
    stamps_s, rows, way = view.shown["motion"][0]
    assert abs(stamps_s[0] - stamp_s) < 5.0
    assert np.all(np.diff(stamps_s) > 0)
    assert len(stamps_s) == len(rows) == len(way)
    running = next(state for state in view.shown["state"] if state[1] == "running")
    assert running[3] == TASK
    assert running[4] > 0
