"""Messages of one topic by their number, from an MCAP file whose chunks are not compressed: read where they lie.

A picture is a megabyte. Reading a bag in order copies each several times and sums its check bits, once more for every
camera; what has been read in order once may be looked at here.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.summary import Summary

# MCAP specification, "Records": opcode and length before each; an uncompressed chunk's own fields before its records;
# a message's before its data; a message index's before its entries (log time, offset in the chunk's records)
RECORD_HEAD, CHUNK_HEAD, MESSAGE_HEAD, INDEX_HEAD = 9, 40, 22, 6


class DirectTopic:
    """The serialized messages of a topic, in the order of arrival, at `places` (messages,) of the file. State: the
    mapped file.
    """

    def __init__(self, file: Path, places: np.ndarray) -> None:
        with file.open("rb") as stream:
            self._bytes = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> memoryview:
        place = int(self._places[number])
        length = int.from_bytes(self._bytes[place + 1 : place + RECORD_HEAD], "little")
        return self._bytes[place + RECORD_HEAD + MESSAGE_HEAD : place + RECORD_HEAD + length]


def direct_topic(file: Path, topic: str) -> DirectTopic | None:
    """None where the file has no index of all messages, or compressed chunks: it has to be read in order."""
    if file.suffix != ".mcap":
        return None
    try:
        with file.open("rb") as stream:
            summary = make_reader(stream).get_summary()
    except (McapError, ValueError, OSError):
        return None
    if summary is None or not summary.chunk_indexes or any(chunk.compression for chunk in summary.chunk_indexes):
        return None
    places = _places(file, summary, topic)
    counts = summary.statistics.channel_message_counts if summary.statistics else {}
    held = sum(counts.get(number, 0) for number, channel in summary.channels.items() if channel.topic == topic)
    return DirectTopic(file, places) if len(places) == held else None


def _places(file: Path, summary: Summary, topic: str) -> np.ndarray:
    """(messages,): where in the file each record begins, in the order of arrival."""
    channels = [number for number, channel in summary.channels.items() if channel.topic == topic]
    found: list[np.ndarray] = [np.empty((0, 2), np.uint64)]
    with file.open("rb") as stream:
        for chunk in summary.chunk_indexes:
            records = chunk.chunk_start_offset + RECORD_HEAD + CHUNK_HEAD
            for index in (chunk.message_index_offsets[n] for n in channels if n in chunk.message_index_offsets):
                stream.seek(index + 1)
                length = int.from_bytes(stream.read(8), "little")
                entries = np.frombuffer(stream.read(length)[INDEX_HEAD:], "<u8").reshape(-1, 2)
                found.append(entries + np.array([0, records], np.uint64))
    times_and_places = np.concatenate(found)
    return times_and_places[np.argsort(times_and_places[:, 0], kind="stable"), 1]
