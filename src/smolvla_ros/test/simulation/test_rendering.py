from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import mujoco
import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.rendering import PACKAGES, Renderer, intrinsics
from smolvla_ros.simulation.video import render_video
from smolvla_ros.simulation.world import World

ROBOT = load_embodiment()


@pytest.fixture(scope="module")
def world() -> World:
    world = World(ROBOT)
    world.reset(7)
    return world


def project(world: World, camera: str, point: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """Pixel (column, row) of a point of the world."""
    data = world.data.camera(camera)
    x, y, z = data.xmat.reshape(3, 3).T @ (point - data.xpos)
    u, v, w = intrinsics(ROBOT.camera(camera).mount.fovy_deg, width, height) @ np.array([x, -y, -z])
    return round(u / w), round(v / w)


@pytest.mark.parametrize(("name", "channel"), [("red cube", 0), ("blue cube", 2)])
def test_a_cube_has_its_colour_where_the_camera_matrix_says_it_is(world: World, name: str, channel: int) -> None:
    renderer = Renderer(world, 640, 480)
    renderer.take_state(world.data.qpos)
    image = renderer.draw("top")
    renderer.close()
    assert image.shape == (480, 640, 3)
    column, row = project(world, "top", world.objects()[name].position, 640, 480)
    pixel = image[row, column].astype(int)
    assert pixel[channel] > 1.8 * np.delete(pixel, channel).max()


def test_the_wrist_camera_moves_with_the_hand(world: World) -> None:
    renderer = Renderer(world, 160, 120)
    images = []
    for pan in (0.0, 0.5):
        world.place(ROBOT.home_rad + np.array([pan, 0, 0, 0, 0, 0]), {})
        renderer.take_state(world.data.qpos)
        images.append(renderer.draw("wrist").astype(int))
    renderer.close()
    assert np.abs(images[0] - images[1]).mean() > 5


WITHOUT_EGL = """
import ctypes
load = ctypes.CDLL.__init__
def refuse(self, name, *args, **options):
    if name and "EGL" in str(name):
        raise OSError(f"{name}: cannot open shared object file")
    load(self, name, *args, **options)
ctypes.CDLL.__init__ = refuse
"""
DRAW = """
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.world import World
from smolvla_ros.simulation.rendering import NoRenderer, Renderer
world = World(load_embodiment())
world.step(10)
print("physics goes on")
try:
    Renderer(world, 64, 48)
except NoRenderer as error:
    print(error)
"""


def test_threads_that_draw_at_once_enter_opengl_in_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mesa 22.3 ends a process, now and then, in which they do not."""
    render, inside, most = mujoco.Renderer.render, [], []

    def watched(self: mujoco.Renderer) -> np.ndarray:
        inside.append(self)
        most.append(len(inside))
        time.sleep(0.002)  # the others come meanwhile
        image = render(self)
        inside.remove(self)
        return image

    monkeypatch.setattr(mujoco.Renderer, "render", watched)
    shapes = []

    def draw(camera: str) -> None:
        renderer = Renderer(world, 96, 72)
        renderer.take_state(world.data.qpos)
        shapes.extend(renderer.draw(camera).shape for _ in range(20))
        renderer.close()

    threads = [threading.Thread(target=draw, args=(camera,)) for camera in ("top", "wrist", "top")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == [(72, 96, 3)] * 60
    assert set(most) == {1}


@pytest.mark.parametrize("missing", ["loader", "driver"])
def test_a_host_without_egl_has_physics_and_is_told_what_to_install(missing: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "MUJOCO_GL"}
    if missing == "driver":
        environment["__EGL_VENDOR_LIBRARY_DIRS"] = str(tmp_path)  # where libEGL would find Mesa
    program = WITHOUT_EGL + DRAW if missing == "loader" else DRAW
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "physics goes on" in result.stdout
    assert PACKAGES in result.stdout


def test_at_home_the_arm_hides_no_cube_from_the_top_camera(world: World) -> None:
    renderer = mujoco.Renderer(world.model, 120, 160)
    renderer.enable_segmentation_rendering()
    for seed in range(12):
        world.reset(seed)
        renderer.update_scene(world.data, "top")
        seen = renderer.render()[..., 0]
        for name in ("red cube", "blue cube"):
            # a whole one covers 60 to 90 of the 160 x 120 pixels
            assert (seen == world.model.geom(name).id).sum() > 35, f"seed {seed}: {name}"
    renderer.close()
    world.reset(7)


def test_a_video_has_as_many_frames_as_were_recorded_and_is_not_black(tmp_path: Path) -> None:
    count = 5
    positions = np.tile(ROBOT.home_rad, (count, 1))
    poses = {"red cube": np.tile([0.2, 0.0, 0.0125, 1, 0, 0, 0], (count, 1))}
    stamps = np.arange(count) / 30
    render_video(tmp_path / "run.mp4", ROBOT, 7, stamps, positions, poses, "put it there", size=(320, 240))
    with av.open(str(tmp_path / "run.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == count
    assert frames[0].shape == (240, 320, 3)
    assert frames[0].std() > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.mp4", "run_frames.png"]
