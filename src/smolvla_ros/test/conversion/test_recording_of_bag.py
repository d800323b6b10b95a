from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.made_bag import BEGIN_NS, BagMaker, swing
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.bags.serialized import NANOSECONDS, stamp_ns
from smolvla_ros.conversion.recording_of_bag import recording_of
from smolvla_ros.data.streams import Recording, episode_of
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.units import LeRobotUnits

FPS = 30


def read(path: Path, robot: Embodiment, task: str = "") -> Recording:
    with open_bag(path) as bag:
        return recording_of(bag, robot, FPS, task)


def test_state_and_action_are_in_lerobots_units_and_the_action_is_the_next_steps_goal(
    make: Callable[..., Path], robot: Embodiment
) -> None:
    episode = episode_of(read(make(), robot), FPS, 0.1)
    state = episode.columns["observation.state"]
    middle = (robot.lower_rad + robot.upper_rad) / 2
    expected = LeRobotUnits(robot).from_radians(np.stack([swing(middle, k / FPS) for k in range(episode.frames)]))
    assert state.dtype == np.float32
    np.testing.assert_allclose(state, expected, atol=1.2)
    sooner = np.abs(episode.columns["action"] - state)
    later = np.abs(episode.columns["action"][:-1] - state[1:])
    assert later.mean() < 0.2 * sooner.mean()


def test_pictures_are_those_of_the_bag_to_the_bit(make: Callable[..., Path], robot: Embodiment) -> None:
    path = make()
    recording = read(path, robot)
    with open_bag(path) as bag:
        messages = [bag.unpack(t, data) for t, _, data in bag.messages(["/wrist/image_raw"])]
    stream = recording.images["observation.images.wrist"]
    assert len(stream.stamps_ns) == len(messages) == 30
    for sample in (0, 1, 7, 29, 3):  # also backwards
        np.testing.assert_array_equal(stream.image(sample), messages[sample].data.reshape(48, 64, 3))


def test_compressed_images_and_topics_in_a_namespace_are_found(tmp_path: Path, robot: Embodiment) -> None:
    class Namespaced(BagMaker):
        def message(self, topic: str, *rest: object) -> None:
            super().message(f"/left{topic}", *rest)  # type: ignore[arg-type]

    maker = Namespaced(tmp_path / "bag", EpisodeNotes("lift"))
    fill(maker, robot, jpeg=True)
    maker.close()
    recording = read(tmp_path / "bag", robot)
    assert recording.images["observation.images.top"].image(0).shape == (48, 64, 3)


def fill(maker: BagMaker, robot: Embodiment, jpeg: bool = False, commands: bool = True, height: int = 48) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    for k in range(6):
        at = BEGIN_NS + k * NANOSECONDS // FPS
        maker.joint_state(at, robot.joint_names, robot.home_rad)
        if commands:
            maker.command(at, robot.joint_names, 0, [0.02, 0.04], np.stack([robot.home_rad] * 2))
        maker.image("/top/image_raw", at, picture, jpeg)
        maker.image("/wrist/image_raw", at, picture[: height if k > 3 else 48], jpeg)


def test_the_task_is_the_bags_own_unless_one_is_given(make: Callable[..., Path], robot: Embodiment) -> None:
    path = make(instruction="lift the cube")
    assert read(path, robot).task == "lift the cube"
    assert read(path, robot, "something else").task == "something else"


def test_forwarded_positions_are_actions_until_the_next_one(tmp_path: Path, robot: Embodiment) -> None:
    maker = BagMaker(tmp_path / "bag", EpisodeNotes("lift"))
    fill(maker, robot, commands=False)
    told = [robot.home_rad + 0.1 * k for k in range(3)]
    maker.positions(BEGIN_NS - 1, told[0])
    maker.positions(BEGIN_NS + NANOSECONDS // 20, told[1])
    maker.positions(BEGIN_NS + NANOSECONDS // 18, np.zeros(2))  # the controller does not take these
    maker.positions(BEGIN_NS + NANOSECONDS // 17, np.full(6, np.nan))
    maker.command(BEGIN_NS + NANOSECONDS // 8, robot.joint_names, 0, [0.0], told[2][None])  # somebody switched
    maker.close()
    actions = read(tmp_path / "bag", robot).values["action"].values
    expected = LeRobotUnits(robot).from_radians(np.stack([told[k] for k in (0, 0, 1, 1, 2, 2)]))
    np.testing.assert_allclose(actions[:6], expected, atol=1e-4)


def test_a_bag_without_commands_has_no_actions_and_is_refused(tmp_path: Path, robot: Embodiment) -> None:
    maker = BagMaker(tmp_path / "bag", EpisodeNotes("lift"))
    fill(maker, robot, commands=False)
    maker.close()
    with pytest.raises(BagError, match=r"expected messages of joint_trajectory_controller/joint_trajectory.*found"):
        read(tmp_path / "bag", robot)


def test_a_camera_that_changed_its_size_is_told_by_topic_and_image(tmp_path: Path, robot: Embodiment) -> None:
    maker = BagMaker(tmp_path / "bag", EpisodeNotes("lift"))
    fill(maker, robot, height=40)
    maker.close()
    pictures = read(tmp_path / "bag", robot).images["observation.images.wrist"]
    assert pictures.image(3).shape == (48, 64, 3)
    with pytest.raises(BagError, match=r"/wrist/image_raw: image 4: expected images of 64x48, found 64x40"):
        pictures.image(4)


def test_another_robots_bag_is_refused_with_both_sides(tmp_path: Path, robot: Embodiment) -> None:
    maker = BagMaker(tmp_path / "bag", EpisodeNotes("lift"))
    fill(maker, robot)
    maker.joint_state(BEGIN_NS + NANOSECONDS // 5, ("panda_joint1",), np.zeros(1))
    maker.close()
    with pytest.raises(BagError, match=r"expected joints shoulder_pan.*found panda_joint1; give the embodiment file"):
        read(tmp_path / "bag", robot)
    maker = BagMaker(tmp_path / "other", EpisodeNotes("lift"))
    maker.joint_state(BEGIN_NS, robot.joint_names, robot.home_rad)
    maker.close()
    with pytest.raises(BagError, match=r"expected messages of top/image_raw or .*/compressed, found /joint_states"):
        read(tmp_path / "other", robot)


def test_stamps_of_another_clock_are_refused(tmp_path: Path, robot: Embodiment) -> None:
    maker = BagMaker(tmp_path / "bag", EpisodeNotes("lift"), delay_ns=60 * NANOSECONDS)
    fill(maker, robot)
    maker.close()
    with pytest.raises(BagError, match=r"expected header stamps of the clock that recorded, found one 60\.0 s apart"):
        read(tmp_path / "bag", robot)


@pytest.mark.parametrize(("kind", "order"), [(b"\x00\x01", "little"), (b"\x00\x00", "big")])
def test_stamps_are_read_in_both_byte_orders(kind: bytes, order: str) -> None:
    data = kind + b"\0\0" + (7).to_bytes(4, order) + (9).to_bytes(4, order)  # type: ignore[arg-type]
    assert stamp_ns(data) == 7 * NANOSECONDS + 9
    with pytest.raises(ValueError, match="found 11 bytes"):
        stamp_ns(data[:11])
