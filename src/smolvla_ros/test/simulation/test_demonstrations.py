from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.cli import main
from smolvla_ros.commands import demos
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.demonstration_arrays import (
    FIELDS,
    DemonstrationArrays,
    read_description,
    write_description,
    write_shard,
)
from smolvla_ros.data.embodiment_features import require_same_joints
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.letterbox import frame_to_tensor, letterbox
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.demonstration_frames import FrameArtist, picture_size
from smolvla_ros.simulation.demonstrations import Demonstrator, Moment
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.tasks import parse
from smolvla_ros.simulation.world import World

ROBOT = load_embodiment()


@pytest.fixture(scope="module")
def demonstrator() -> Demonstrator:
    return Demonstrator(ROBOT, every=12)


def test_the_same_seed_gives_the_same_demonstration_and_another_another(demonstrator: Demonstrator) -> None:
    once, again, other = (demonstrator.demonstrate(seed) for seed in (5, 5, 6))
    assert len(once) > 5
    np.testing.assert_array_equal(once[-1].qpos, again[-1].qpos)
    np.testing.assert_array_equal(once[3].chunk, again[3].chunk)
    assert np.abs(once[0].qpos - other[0].qpos).max() > 1e-3


def test_both_instructions_of_a_frame_lead_elsewhere(demonstrator: Demonstrator) -> None:
    """Words, and nothing else of the frame, tell which way the chunk goes."""
    seen = 0
    for seed in range(4):
        moment = demonstrator.demonstrate(seed)[0]
        assert moment.asked != moment.otherwise
        ends = [arm_of(ROBOT).kinematics.pinch_point(chunk[-1]) for chunk in (moment.chunk, moment.other_chunk)]
        cubes = [demonstrator.world.objects()[task.cube].position for task in (moment.asked, moment.otherwise)]
        if moment.asked.cube != moment.otherwise.cube:
            seen += 1
            assert np.linalg.norm(ends[0] - ends[1]) > 0.02, (seed, ends, cubes)
    assert seen


def test_labels_are_of_the_plan_and_not_of_the_push(demonstrator: Demonstrator) -> None:
    """Each chunk is smooth although the arm is pushed about."""
    for moment in demonstrator.demonstrate(7):
        assert np.abs(np.diff(moment.chunk[:, :5], n=2, axis=0)).max() < 0.03


def moments_drawn(demonstrator: Demonstrator, seed: int) -> tuple[list[Moment], dict[str, np.ndarray]]:
    artist = FrameArtist(demonstrator, ROBOT, 96)
    moments = demonstrator.demonstrate(seed)
    arrays = artist.arrays(moments, seed)
    artist.close()
    return moments, arrays


def test_objects_are_where_their_pixels_are_said_to_be(demonstrator: Demonstrator) -> None:
    moments, arrays = moments_drawn(demonstrator, 11)
    objects = [item.name for item in demonstrator.world.scene_objects]
    image, pixels = arrays["images"][0, 0].astype(int), arrays["pixels"][0, 0]
    for name in ("red cube", "blue cube"):
        column, row = (pixels[objects.index(name)] * (96, 72)).astype(int)
        red, _, blue = image[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(axis=0)
        assert (red - blue > 40) if name == "red cube" else (blue - red > 40), (name, red, blue)
    assert len(moments) == len(arrays["frame"]) == len(arrays["images"])


def test_a_small_picture_is_what_the_letterbox_makes_of_a_live_one() -> None:
    world = World(ROBOT)
    world.reset(4)
    width, height = picture_size(ROBOT, 96)
    assert (width, height) == (96, 72)
    small, live = Renderer(world, width, height), Renderer(world, 640, 480)
    for camera in ("top", "wrist"):
        for renderer in (small, live):
            renderer.take_state(world.data.qpos)
        scaled = letterbox(frame_to_tensor(live.draw(camera)), 96)[0, :, 24:].permute(1, 2, 0).numpy() * 255
        off = np.abs(small.draw(camera) - scaled)
        assert off.mean() < 1.0
        assert (off.max(axis=2) > 20).mean() < 0.03  # edges alone
    small.close()
    live.close()


def test_shards_are_read_as_one_and_a_half_written_one_is_not_seen(demonstrator: Demonstrator, tmp_path) -> None:
    artist = FrameArtist(demonstrator, ROBOT, 32)
    write_description(tmp_path, artist.description)
    parts = [artist.arrays(demonstrator.demonstrate(seed), seed) for seed in (1, 2)]
    artist.close()
    for index, part in enumerate(parts):
        write_shard(tmp_path, index, part)
    (tmp_path / ".shard-00002").mkdir()
    read = DemonstrationArrays(tmp_path)
    assert len(read) == sum(len(part["frame"]) for part in parts)
    last = read.rows([len(read) - 1, 0])
    for name in FIELDS:
        np.testing.assert_array_equal(last[name][0], parts[1][name][-1])
        np.testing.assert_array_equal(last[name][1], parts[0][name][0])
    assert read_description(tmp_path) == artist.description


def test_several_processes_make_the_same_demonstrations_as_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(demos, "EPISODES_A_SHARD", 1)
    words = ["--side", "32", "--seed", "1", "--episodes", "2", "--processes"]
    for count in ("1", "2"):
        assert main(["demos", str(tmp_path / count), *words, count]) == 0
    one, two = (DemonstrationArrays(tmp_path / count).rows([0, 20]) for count in ("1", "2"))
    for name in FIELDS:
        np.testing.assert_array_equal(one[name], two[name])


def of_group(group: int) -> int:
    """How many processes of it are alive."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _parent, own_group = file.read_text().rpartition(")")[2].split()[:3]
            count += int(own_group) == group and state != "Z"
    return count


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_sigterm_leaves_no_process_behind(tmp_path) -> None:
    words = ["-m", "smolvla_ros.cli", "demos", str(tmp_path), "--side", "32", "--processes", "2"]
    command = subprocess.Popen([sys.executable, *words], start_new_session=True, stderr=subprocess.PIPE, text=True)
    until(lambda: of_group(command.pid) > 3)  # the command, two that draw and what Python keeps its semaphores by
    time.sleep(1.0)  # while one is being started, it would say on its own that this was broken off
    command.terminate()
    assert "smolvla: interrupted" in command.communicate(timeout=60)[1].splitlines()
    assert command.returncode == 128 + signal.SIGTERM
    until(lambda: of_group(command.pid) == 0)


def test_a_folder_without_demonstrations_is_refused(tmp_path) -> None:
    with pytest.raises(DatasetError, match="smolvla demos"):
        DemonstrationArrays(tmp_path)


def test_a_dataset_of_demonstrations_is_one_of_this_robot_and_goes_on_where_it_was(tmp_path) -> None:
    words = ["demos", str(tmp_path / "set"), "--dataset", "--side", "64", "--seed", "30", "--episodes"]
    assert main([*words, "1"]) == 0
    assert main([*words, "2"]) == 0
    dataset = open_dataset(tmp_path / "set")
    require_same_joints(dataset.info.features, ROBOT)
    assert dataset.info.total_episodes == 2
    assert dataset.info.features["observation.images.top"].shape == (48, 64, 3)
    assert len(set(dataset.tasks)) >= 1
    assert all(parse(task) for task in dataset.tasks)
