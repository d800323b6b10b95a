from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from filled_bag import NOTES, filled
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.writer import BagWriter


def test_rosbags_reads_the_bag_with_the_types_it_brings_along(whole_bag: Path) -> None:
    with AnyReader([whole_bag]) as reader:
        images = [
            reader.deserialize(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic == "/top/image_raw"
        ]
        topics = {connection.topic: connection.msgcount for connection in reader.connections}
    assert [int(image.data[0]) for image in images] == [0, 1, 2, 3, 4, 5]
    assert topics == {"/joint_states": 6, "/top/image_raw": 6}


def test_foxgloves_reader_finds_an_index_and_sound_checksums(whole_bag: Path) -> None:
    file = next(whole_bag.glob("*.mcap"))
    with file.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    assert summary.statistics.message_count == 12
    assert len(summary.chunk_indexes) == 3
    assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}
    assert all("topic_type_hash" in channel.metadata for channel in summary.channels.values())
    with file.open("rb") as stream:
        assert len(list(StreamReader(stream, validate_crcs=True).records)) > 12


def test_metadata_has_every_field_that_rosbag2_of_jazzy_reads(whole_bag: Path) -> None:
    metadata = yaml.safe_load((whole_bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert set(metadata) == {
        *("version", "storage_identifier", "duration", "starting_time", "message_count"),
        *("topics_with_message_count", "compression_format", "compression_mode", "relative_file_paths", "files"),
        *("custom_data", "ros_distro"),
    }
    assert (metadata["version"], metadata["storage_identifier"]) == (9, "mcap")
    assert metadata["relative_file_paths"] == ["whole_0.mcap"]
    assert (whole_bag / metadata["files"][0]["path"]).exists()
    topic = metadata["topics_with_message_count"][0]["topic_metadata"]
    assert topic["type_description_hash"].startswith("RIHS01_")
    assert topic["offered_qos_profiles"][0]["reliability"] == "best_effort"
    assert metadata["custom_data"] == NOTES.to_texts()
    assert "&id" not in (whole_bag / "metadata.yaml").read_text()


def test_a_bag_is_never_written_over(whole_bag: Path) -> None:
    with pytest.raises(BagError, match="expected a folder that is not there, found one that is"):
        BagWriter(whole_bag, {})


def test_what_was_flushed_is_in_the_file_though_nothing_was_closed(tmp_path: Path) -> None:
    maker = filled(tmp_path / "cut", images=5)
    size = os.path.getsize(next((tmp_path / "cut").glob("*.mcap")))
    assert size > 4 * 24 * 32 * 3
    maker.writer.abandon()
