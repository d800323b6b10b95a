"""A bag while it is recorded: rosbag2's MCAP storage, whole up to the last flush whatever ends the process.

Messages gather in a chunk; `flush` closes it and hands it to the operating system. Types and topics stand before their
first message, and a chunk has a checksum: what has been flushed can be read without what was to follow (see repair).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcap.writer import CompressionType, Writer

from smolvla_ros.bags.episode_notes import RECORD_NAME
from smolvla_ros.bags.errors import mismatch
from smolvla_ros.bags.metadata import Contents, as_yaml, metadata_of, write_metadata
from smolvla_ros.bags.topic import Topic

CHUNK_BYTES = 4 * 2**20
PROFILE = "ros2"


class BagWriter:
    """Of one thread. `bytes` is what has been handed over. A disk that fails raises OSError from every method."""

    def __init__(self, folder: Path, notes: Mapping[str, str]) -> None:
        """Makes the folder. Raises BagError where there is one already."""
        if folder.exists():
            raise mismatch(folder, "a folder that is not there", "one that is", "name another")
        folder.mkdir(parents=True)
        self.folder, self.bytes = folder, 0
        self._file = folder / f"{folder.name}_0.mcap"
        self._stream = self._file.open("xb")
        self._writer = Writer(self._stream, chunk_size=CHUNK_BYTES, compression=CompressionType.NONE)
        self._writer.start(PROFILE)
        self._writer.add_metadata(RECORD_NAME, dict(notes))
        self._stream.flush()
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._topics: dict[str, Topic] = {}
        self._counts: dict[str, int] = {}
        self._start_ns, self._end_ns = 0, 0

    @property
    def messages(self) -> int:
        return sum(self._counts.values())

    @property
    def duration_ns(self) -> int:
        return self._end_ns - self._start_ns

    def add_topic(self, topic: Topic) -> None:
        if topic.type not in self._schemas:
            text = topic.definition.encode()
            self._schemas[topic.type] = self._writer.register_schema(topic.type, "ros2msg", text)
        described = {
            "offered_qos_profiles": as_yaml([dict(profile) for profile in topic.qos]) if topic.qos else "",
            "topic_type_hash": topic.type_hash,
        }
        channel = self._writer.register_channel(topic.name, "cdr", self._schemas[topic.type], described)
        self._channels[topic.name], self._topics[topic.name], self._counts[topic.name] = channel, topic, 0

    def write(self, topic: str, stamp_ns: int, data: bytes) -> None:
        """data: the serialized message. stamp_ns: when it came."""
        self._writer.add_message(self._channels[topic], stamp_ns, data, stamp_ns, self._counts[topic])
        self._start_ns = min(self._start_ns, stamp_ns) if self.messages else stamp_ns
        self._end_ns = max(self._end_ns, stamp_ns)
        self._counts[topic] += 1
        self.bytes += len(data)

    def flush(self) -> None:
        """What has been written until now survives the end of this process."""
        self._writer.flush()

    def close(self, notes: Mapping[str, str]) -> None:
        """Writes index and metadata.yaml, with the notes as they are now."""
        contents = Contents(
            self._file.name, self._start_ns, self._end_ns, tuple(self._topics.values()), dict(self._counts)
        )
        metadata = metadata_of(contents, notes)
        self._writer.flush()
        self._writer.add_metadata("rosbag2", {"serialized_metadata": as_yaml(metadata)})
        self._writer.finish()
        self._stream.close()
        write_metadata(self.folder, metadata)

    def abandon(self) -> None:
        """After an error: leaves the file as it is, for repair."""
        try:
            self._stream.close()
        except OSError:  # the same full disk that ended the recording: what is buffered is lost already
            self._stream.raw.close()
