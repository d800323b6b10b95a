from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from smolvla_ros.cameras.choice import chosen_cameras
from smolvla_ros.cameras.device import CameraError, check_device
from smolvla_ros.embodiment import DEFAULT_FILE, Embodiment, EmbodimentError, load_embodiment


@pytest.fixture
def robot(tmp_path: Path, video: Callable[..., Path]) -> Embodiment:
    """The SO-100 with a video for its top camera and no device for the wrist's."""
    raw = yaml.safe_load(DEFAULT_FILE.read_text())
    raw["cameras"][0]["device"] = {"path": str(video("top.avi"))}
    del raw["cameras"][1]["device"]
    (tmp_path / "robot.yaml").write_text(yaml.safe_dump(raw))
    return load_embodiment(tmp_path / "robot.yaml")


def names(wanted: str, robot: Embodiment, hardware_type: str = "real") -> dict[str, str]:
    return {source.camera.name: source.device for source in chosen_cameras(wanted, robot, hardware_type)}


@pytest.mark.parametrize("hardware_type", ["mujoco", "virtual", "mock_components"])
def test_without_a_real_arm_no_camera_is_opened_unless_asked_for(robot: Embodiment, hardware_type: str) -> None:
    assert names("auto", robot, hardware_type) == {}


def test_some_by_name_with_the_file_s_device_or_another(robot: Embodiment, video: Callable[..., Path]) -> None:
    wrist = str(video("wrist.avi"))
    assert names("none", robot) == {}
    assert names("top", robot, "virtual") == {"top": robot.camera("top").device.path}
    assert names(f"wrist={wrist},top", robot) == {"wrist": wrist, "top": robot.camera("top").device.path}


def test_a_camera_without_a_device_is_told_with_all_ways_out(robot: Embodiment) -> None:
    with pytest.raises(CameraError) as caught:
        names("auto", robot)
    for word in ("cameras[wrist].device: missing", "cameras:=wrist=/dev/video0", "cameras:=none", "/wrist/image_raw"):
        assert word in str(caught.value)


def test_the_simulator_s_cameras_are_not_published_twice(robot: Embodiment) -> None:
    with pytest.raises(CameraError, match="with hardware_type:=mujoco the simulator publishes them"):
        names("all", robot, "mujoco")


def test_two_cameras_do_not_share_a_device(robot: Embodiment) -> None:
    with pytest.raises(CameraError, match="top and wrist: expected two devices"):
        names(f"top,wrist={robot.camera('top').device.path}", robot)


def test_an_unknown_camera_is_refused_with_those_there_are(robot: Embodiment) -> None:
    with pytest.raises(EmbodimentError, match="no camera 'side'; the file has: top, wrist"):
        names("side", robot)


def test_a_device_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "video2").mkdir()
    (tmp_path / "video2" / "name").write_text("C270 HD WEBCAM\n")
    with pytest.raises(CameraError, match=r"no such device /dev/nowhere; there are: /dev/video2 \(C270 HD WEBCAM\)"):
        check_device("/dev/nowhere", tmp_path)
    with pytest.raises(CameraError, match="no camera is plugged in"):
        check_device("/dev/nowhere", tmp_path / "none")


def test_another_device_is_no_camera(robot: Embodiment) -> None:
    with pytest.raises(CameraError, match="camera wrist: /dev/null: expected a video device, found something else"):
        names("wrist=/dev/null", robot)
