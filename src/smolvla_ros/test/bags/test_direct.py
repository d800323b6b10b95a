"""By number a topic has the same messages as in order, or none where the file does not allow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from filled_bag import MS, filled
from mcap.writer import CompressionType, IndexType, Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as BagsWriter
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from smolvla_ros.bags.direct import direct_topic
from smolvla_ros.bags.made_bag import BEGIN_NS, STORE
from smolvla_ros.bags.reader import open_bag

TEXT = "std_msgs/msg/String"


def text(number: int) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types[TEXT](str(number)), TEXT))


@pytest.mark.parametrize("topic", ["/top/image_raw", "/joint_states", "/nobody"])
def test_by_number_it_is_what_it_is_in_order(tmp_path: Path, topic: str) -> None:
    filled(tmp_path / "bag", images=7).close()
    with open_bag(tmp_path / "bag") as bag:
        direct = bag.direct(topic)
        assert direct is not None
        in_order = [data for _, _, data in bag.messages([topic])]
        assert [bytes(direct[number]) for number in range(len(direct))] == in_order


def test_messages_that_were_written_out_of_order_are_in_the_order_of_arrival(tmp_path: Path) -> None:
    late_first = filled(tmp_path / "bag", images=2)
    for k in (5, 3, 4):
        late_first.joint_state(BEGIN_NS + 40 * k * MS, ("a", "b"), np.array([k, -k]))
    late_first.close()
    with open_bag(tmp_path / "bag") as bag:
        direct = bag.direct("/joint_states")
        found = [bag.unpack("/joint_states", direct[number]).position[0] for number in range(len(direct))]
    assert found == [0.0, 1.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
    ],
)
def test_what_is_compressed_or_no_mcap_has_to_be_read_in_order(
    tmp_path: Path, storage: StoragePlugin, compression: CompressionMode
) -> None:
    writer = BagsWriter(tmp_path / "bag", version=8, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        writer.write(writer.add_connection("/text", TEXT, typestore=STORE), BEGIN_NS, text(1))
    with open_bag(tmp_path / "bag") as bag:
        assert bag.direct("/text") is None


@pytest.mark.parametrize("without", ["use_chunking", "index_types", "use_statistics"])
def test_an_mcap_file_that_does_not_tell_where_all_messages_lie_has_to_be_read_in_order(
    tmp_path: Path, without: str
) -> None:
    lacking = {"index_types": IndexType.NONE} if without == "index_types" else {without: False}
    with (tmp_path / "one.mcap").open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.NONE, **lacking)
        writer.start("ros2")
        schema = writer.register_schema(TEXT, "ros2msg", b"string data")
        writer.add_message(writer.register_channel("/text", "cdr", schema), BEGIN_NS, text(1), BEGIN_NS)
        writer.finish()
    assert direct_topic(tmp_path / "one.mcap", "/text") is None
