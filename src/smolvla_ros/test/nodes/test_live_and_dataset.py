"""What the policy node sees live is what the dataset of the same bag holds."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.qos import qos_profile_sensor_data
from smolvla_ros.bags.made_bag import make_bag
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.bags.serialized import NANOSECONDS, stamp_ns
from smolvla_ros.cli import main as smolvla
from smolvla_ros.conversion.messages import nanoseconds
from smolvla_ros.conversion.recording_of_bag import recording_of
from smolvla_ros.data.alignment import clock
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.features import STATE
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.streams import Recording, episode_of
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes.tap import interface
from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.smolvla import SmolVLAPolicy
from smolvla_ros.units import LeRobotUnits

from smolvla_msgs.msg import ActionChunk, ChunkRequest

ROBOT = load_embodiment()
FPS, STEP = 30, 9
WORDS = "lift the cube"
STARTS_S = 120.0
MICROSECOND_NS = 1000  # a chunk tells stamps as seconds in float64


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    assert smolvla(["checkpoint", "init", str(folder)]) == 0
    return folder


def read(path: Path) -> tuple[Recording, RecordedEpisode]:
    with open_bag(path) as bag:
        recording = recording_of(bag, ROBOT, FPS)
    return recording, episode_of(recording, FPS, 0.15)


def observation(episode: RecordedEpisode, step: int) -> Observation:
    """A dataset's frame as the policy is given it."""
    images = {camera.name: next(islice(iter(episode.images[camera.feature]), step, None)) for camera in ROBOT.cameras}
    positions = LeRobotUnits(ROBOT).to_radians(episode.columns[STATE][step].astype(np.float64))
    return Observation(stamp_s=0.0, images=images, positions=positions, instruction=WORDS)


def chunk_of_dataset(checkpoint: Path, episode: RecordedEpisode, step: int) -> np.ndarray:
    return SmolVLAPolicy.from_checkpoint(checkpoint, ROBOT, engine="torch").infer(observation(episode, step)).positions


class Replay:
    """Gives the policy node a bag's own bytes and takes its answers."""

    def __init__(self, graph: Any, jpeg: bool) -> None:
        self._graph, self._chunks = graph, list[ActionChunk]()
        kind, ending = ("CompressedImage", "/compressed") if jpeg else ("Image", "")
        types = {f"{camera.topic}{ending}": f"sensor_msgs/msg/{kind}" for camera in ROBOT.cameras}
        types["/joint_states"] = "sensor_msgs/msg/JointState"
        node = graph.node
        self._publishers = {
            topic: node.create_publisher(interface(kind), topic, qos_profile_sensor_data)
            for topic, kind in types.items()
        }
        self._requests = node.create_publisher(ChunkRequest, "chunk_request", 5)
        node.create_subscription(ActionChunk, "action_chunk", self._chunks.append, 5)
        everyone = [self._requests, *self._publishers.values()]
        graph.wait(lambda: all(publisher.get_subscription_count() for publisher in everyone), STARTS_S)

    def until(self, path: Path, until_ns: int) -> ActionChunk:
        """The answer that was made from what the bag holds up to a time."""
        with open_bag(path) as bag:
            found = bag.messages(list(self._publishers))
            messages = [(topic, data) for topic, _, data in found if stamp_ns(data) <= until_ns]
        newest = dict(messages)
        images = sorted(stamp_ns(data) for topic, data in newest.items() if topic != "/joint_states")
        expected = [*images, stamp_ns(newest["/joint_states"])]
        for topic, data in messages:
            self._publishers[topic].publish(data)

        def answered() -> ActionChunk | None:
            for topic, data in newest.items():  # again, for what has been lost
                self._publishers[topic].publish(data)
            request = ChunkRequest(id=len(self._chunks) + 1, instruction=WORDS, reset=True)
            # the policy compares stamps with the robot's clock alone, which is the bag's
            request.header.stamp = Time(sec=until_ns // NANOSECONDS, nanosec=until_ns % NANOSECONDS)
            self._requests.publish(request)
            self._graph._executor.spin_once(timeout_sec=0.2)
            for chunk in self._chunks:
                seen = [*sorted(map(nanoseconds, chunk.image_stamps)), nanoseconds(chunk.joint_state_stamp)]
                if len(seen) == len(expected) and np.abs(np.subtract(seen, expected)).max() < MICROSECOND_NS:
                    return chunk
            return None

        return self._graph.wait(answered, STARTS_S)


@pytest.mark.parametrize("jpeg", [False, True])
def test_a_bag_gives_the_same_chunk_to_the_bit_live_and_from_the_dataset(
    graph: Any, checkpoint: Path, tmp_path: Path, jpeg: bool
) -> None:
    transport = "compressed" if jpeg else "raw"
    graph.start(
        "policy",
        policy=str(checkpoint),
        engine="torch",
        image_transport=transport,
        image_max_age=60.0,
        joint_state_max_age=60.0,
    )
    replay = Replay(graph, jpeg)
    make_bag(tmp_path / "bag", ROBOT, 0.5, jpeg, WORDS, time.time_ns() - NANOSECONDS)
    recording, episode = read(tmp_path / "bag")
    streams = {**recording.values, **recording.images}
    steps = clock({name: stream.stamps_ns for name, stream in streams.items()}, FPS)
    live = replay.until(tmp_path / "bag", int(steps[STEP]))
    rows = np.array([row.positions for row in live.positions])
    np.testing.assert_array_equal(rows, chunk_of_dataset(checkpoint, episode, STEP))
    assert np.abs(rows - chunk_of_dataset(checkpoint, episode, STEP + 1)).max() > 0


def test_of_the_video_codec_the_dataset_loses_little_and_of_the_numbers_nothing(tmp_path: Path) -> None:
    make_bag(tmp_path / "bag", ROBOT, 0.4)
    words = ["dataset", "convert", str(tmp_path / "bag"), "--output", str(tmp_path / "set"), "--jobs", "1"]
    assert smolvla(words) == 0
    _, episode = read(tmp_path / "bag")
    dataset = open_dataset(tmp_path / "set")
    assert len(dataset) == episode.frames
    for name in (STATE, "action"):
        np.testing.assert_array_equal(dataset.column(name), episode.columns[name])
    for camera in ROBOT.cameras:
        for row, picture in enumerate(episode.images[camera.feature]):
            kept = dataset.image(camera.feature, row).astype(float)
            assert np.abs(kept - picture).mean() < 6
