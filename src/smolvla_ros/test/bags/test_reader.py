from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.made_bag import BEGIN_NS, STORE
from smolvla_ros.bags.reader import open_bag

JOINTS = "sensor_msgs/msg/JointState"


def joint_state(value: float) -> bytes:
    message = STORE.types[JOINTS](
        STORE.types["std_msgs/msg/Header"](STORE.types["builtin_interfaces/msg/Time"](5, 7), ""),
        ["a"],
        np.array([float(value)]),
        np.zeros(0),
        np.zeros(0),
    )
    return bytes(STORE.serialize_cdr(message, JOINTS))


def write_as_ros2_bag_record(folder: Path, storage: StoragePlugin, compression: CompressionMode) -> None:
    writer = Writer(folder, version=8, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/joint_states", JOINTS, typestore=STORE)
        for k in range(3):
            writer.write(connection, BEGIN_NS + k, joint_state(k))


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
    ],
)
def test_bags_of_other_recorders_are_read(tmp_path: Path, storage: StoragePlugin, compression: CompressionMode) -> None:
    write_as_ros2_bag_record(tmp_path / "bag", storage, compression)
    with open_bag(tmp_path / "bag") as bag:
        found = [(at, bag.unpack(topic, data)) for topic, at, data in bag.messages(["/joint_states"])]
        assert bag.notes is None
    assert [at - BEGIN_NS for at, _ in found] == [0, 1, 2]
    assert [message.position[0] for _, message in found] == [0.0, 1.0, 2.0]


def test_a_sqlite_bag_that_was_killed_before_its_metadata_is_read_from_the_file(tmp_path: Path) -> None:
    write_as_ros2_bag_record(tmp_path / "bag", StoragePlugin.SQLITE3, CompressionMode.NONE)
    (tmp_path / "bag" / "metadata.yaml").unlink()
    with open_bag(tmp_path / "bag") as bag:
        assert bag.counts == {"/joint_states": 3}


def test_what_is_no_bag_is_refused_with_expected_and_found(tmp_path: Path, whole_bag: Path) -> None:
    with pytest.raises(BagError, match="found no such folder"):
        open_bag(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"expected a bag: a folder with \.mcap or \.db3 files, found none"):
        open_bag(tmp_path / "empty")
    (whole_bag / "metadata.yaml").write_text("hello")
    with pytest.raises(BagError, match="metadata"):
        open_bag(whole_bag)


def test_a_bag_without_messages_is_refused(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/joint_states", JOINTS, typestore=STORE)
    with pytest.raises(BagError, match="expected messages, found none"):
        open_bag(tmp_path / "bag")


def test_bytes_that_are_no_such_message_are_told_by_topic(whole_bag: Path) -> None:
    with open_bag(whole_bag) as bag, pytest.raises(BagError, match="/joint_states: expected a sensor_msgs/msg/Joint"):
        bag.unpack("/joint_states", b"\x00\x01\x00\x00\x05")


def test_a_damaged_chunk_is_told_when_it_is_reached(whole_bag: Path) -> None:
    file = next(whole_bag.glob("*.mcap"))
    data = bytearray(file.read_bytes())
    data[data.index(bytes([3] * 100)) + 7] ^= 0xFF
    file.write_bytes(data)
    with open_bag(whole_bag) as bag, pytest.raises(BagError, match="expected a sound bag"):
        list(bag.messages(["/top/image_raw"]))
