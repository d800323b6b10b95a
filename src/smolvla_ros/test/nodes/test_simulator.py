from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from smolvla_ros.embodiment import DEFAULT_FILE
from smolvla_ros.nodes.conversions import image_array, object_poses
from visualization_msgs.msg import MarkerArray

from smolvla_msgs.msg import SceneState
from smolvla_msgs.srv import EvaluateTask, InjectFault, ResetScene
from so100_hardware import Bus, NoReplyError


def test_cameras_scene_and_services_are_there_and_a_seed_makes_the_same_scene(graph) -> None:
    bus = graph.folder / "bus"
    graph.start("simulator", usb_port=str(bus), seed=3)
    got: dict = {}
    for kind, topic in (
        (Image, "top/image_raw"),
        (CompressedImage, "wrist/image_raw/compressed"),
        (CameraInfo, "top/camera_info"),
        (SceneState, "simulator/scene"),
        (MarkerArray, "simulator/markers"),
    ):
        graph.node.create_subscription(
            kind, topic, lambda message, topic=topic: got.update({topic: message}), qos_profile_sensor_data
        )
    graph.wait(lambda: len(got) == 5)
    assert bus.is_symlink()
    top, wrist = got["top/image_raw"], got["wrist/image_raw/compressed"]
    assert (top.height, top.width, top.encoding, top.header.frame_id) == (480, 640, "rgb8", "top_camera_optical_frame")
    assert image_array(top).std() > 20
    assert image_array(wrist).shape == (480, 640, 3)
    info = got["top/camera_info"]
    assert (info.width, info.height) == (640, 480)
    assert info.k[0] == info.k[4] > 400
    assert set(object_poses(got["simulator/scene"])) == {"red cube", "blue cube", "red box", "blue box"}
    assert len(got["simulator/markers"].markers) == 4

    def scene(seed: int) -> np.ndarray:
        answer = graph.call(ResetScene, "simulator/reset", ResetScene.Request(seed=seed))
        assert answer.success
        assert "put the red cube in the blue box" in answer.instructions
        graph.wait(lambda: got["simulator/scene"].seed == seed)
        return np.array([pose.position for pose in object_poses(got["simulator/scene"]).values()])

    fifth, sixth = scene(5), scene(6)
    assert not np.allclose(fifth, sixth, atol=1e-3)
    np.testing.assert_allclose(scene(5), fifth, atol=2e-4)
    refused = graph.call(ResetScene, "simulator/reset", ResetScene.Request(task="juggle"))
    assert (refused.success, "juggle" in refused.message) == (False, True)
    verdict = graph.call(
        EvaluateTask, "simulator/evaluate_task", EvaluateTask.Request(instruction="put the red cube in the blue box")
    )
    assert (verdict.understood, verdict.done) == (True, False)
    assert graph.stop("simulator") == 0
    assert not bus.exists()
    assert "Traceback" not in graph.log("simulator")


def test_faults_are_injected_by_a_service(graph) -> None:
    link = graph.folder / "bus"
    graph.start("simulator", usb_port=str(link))
    graph.wait(link.is_symlink)

    def inject(script: str) -> InjectFault.Response:
        return graph.call(InjectFault, "simulator/inject_fault", InjectFault.Request(script=script))

    with Bus(str(link)) as bus:
        assert bus.ping(3) == 0
        assert inject("mute servo 3\nset torque_limit 300 servo 4").success
        with pytest.raises(NoReplyError):
            bus.ping(3)
        assert bus.read(4, "torque_limit") == 300
        refused = inject("mute servo 9")
        assert (refused.success, "no servo with id 9" in refused.message) == (False, True)
        assert inject("clear").success
        assert bus.ping(3) == 0


def test_camera_info_comes_without_anybody_looking_at_images(graph) -> None:
    graph.start("simulator")
    got: dict = {}
    graph.node.create_subscription(
        CameraInfo, "wrist/camera_info", lambda message: got.update(info=message), qos_profile_sensor_data
    )
    graph.node.create_subscription(
        SceneState, "simulator/scene", lambda message: got.update(scene=message), qos_profile_sensor_data
    )
    graph.wait(lambda: len(got) == 2)
    assert got["info"].header.frame_id == "wrist_camera_optical_frame"
    assert list(got["scene"].image_rates) == [0.0, 0.0]


@pytest.fixture
def without_a_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path))  # where libEGL would find Mesa


def test_a_host_that_cannot_draw_is_told_what_to_install_in_one_line(without_a_driver, graph) -> None:
    assert graph.start("simulator").wait(30) == 2
    assert "apt-get install libegl1" in graph.log("simulator")
    assert "Traceback" not in graph.log("simulator")


def test_a_camera_without_a_place_is_told_in_one_line(graph) -> None:
    raw = yaml.safe_load(DEFAULT_FILE.read_text())
    del raw["cameras"][0]["mount"]
    file: Path = graph.folder / "robot.yaml"
    file.write_text(yaml.safe_dump(raw))
    assert graph.start("simulator", embodiment=str(file)).wait(30) == 2
    assert "cameras[top].mount: missing; the simulator needs a camera's place" in graph.log("simulator")
    assert "Traceback" not in graph.log("simulator")
