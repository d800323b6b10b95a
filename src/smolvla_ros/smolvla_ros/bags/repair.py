"""Index and metadata of a bag whose recording was cut off: by a kill or a full disk.

The file keeps all records that are whole and gets the index that a regular end would have written. What lies behind the
last whole record is cut away; damage with sound records behind it is not touched.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import yaml
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.stream_reader import CRCValidationError, breakup_chunk
from mcap.writer import MCAP0_MAGIC

from smolvla_ros.bags.episode_notes import RECORD_NAME
from smolvla_ros.bags.errors import BagError, mismatch
from smolvla_ros.bags.metadata import METADATA_FILE, Contents, custom_data, metadata_of, read_metadata, write_metadata
from smolvla_ros.bags.topic import Topic

HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = 22  # channel, sequence and two stamps
REMEDY = "delete the bag, or copy it from where it is whole"


@dataclass
class _Found:
    """What has been read up to `end`, the byte behind the last whole record of the data section."""

    end: int
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    notes: list[MetadataIndex] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0
    pending: list[MessageIndex] = field(default_factory=list)
    complete: bool = False

    @property
    def messages(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Repaired:
    """cut_bytes: what was no whole record. was_whole: nothing had to be done to the file."""

    folder: Path
    messages: int
    duration_s: float
    cut_bytes: int
    was_whole: bool


def repair_bag(folder: Path) -> Repaired:
    """Makes a bag of one MCAP file whole, in place. Raises BagError where nothing can be read, OSError of the disk."""
    files = sorted(folder.glob("*.mcap")) if folder.is_dir() else []
    if len(files) != 1:
        there = f"{len(files)} of them" if folder.is_dir() else "no such folder"
        remedy = "for bags of several files or of sqlite3 use ros2 bag reindex"
        raise mismatch(folder, "a folder with one .mcap file", there, remedy)
    path = files[0]
    size = path.stat().st_size
    with path.open("r+b") as stream:
        found = _scan(path, stream, size)
        if not found.messages:
            raise mismatch(path, "messages", "none that are whole", REMEDY)
        cut = 0 if found.complete else size - found.end
        if not found.complete:
            stream.truncate(found.end)
            stream.seek(found.end)
            stream.write(_ending(found))
            stream.flush()
            os.fsync(stream.fileno())
    if not found.complete or not (folder / METADATA_FILE).exists():
        write_metadata(folder, metadata_of(_contents(path.name, found), _notes(folder, found.texts)))
    return Repaired(folder, found.messages, (found.end_ns - found.start_ns) / 1e9, cut, found.complete)


def _scan(path: Path, stream: BinaryIO, size: int) -> _Found:
    if stream.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
        raise mismatch(path, "an MCAP file", "another beginning", REMEDY)
    found = _Found(end=len(MCAP0_MAGIC))
    while found.end + HEAD.size <= size:
        stream.seek(found.end)
        code, length = HEAD.unpack(stream.read(HEAD.size))
        behind = found.end + HEAD.size + length
        if code == Opcode.DATA_END:
            stream.seek(-len(MCAP0_MAGIC), os.SEEK_END)
            found.complete = stream.read() == MCAP0_MAGIC
            break
        if not 0 < code <= Opcode.DATA_END or behind > size:
            break
        try:
            _take(found, code, stream.read(length))
        except (CRCValidationError, McapError, struct.error, UnicodeDecodeError, ValueError) as error:
            if behind < size:
                where = f"{path} at byte {found.end}"
                raise mismatch(where, "a sound record", error, REMEDY) from None
            break
        found.end = behind
    return found


def _take(found: _Found, code: int, content: bytes) -> None:
    """One whole record of the data section."""
    stream, start, length = ReadDataStream(BytesIO(content)), found.end, HEAD.size + len(content)
    if code == Opcode.MESSAGE_INDEX and found.pending:
        found.pending.pop(0)
        offset = MessageIndex.read(stream).channel_id
        found.chunks[-1].message_index_offsets[offset] = start
        found.chunks[-1].message_index_length += length
    elif code == Opcode.CHUNK:
        _take_chunk(found, Chunk.read(stream), length)
    elif code == Opcode.METADATA:
        record = Metadata.read(stream)
        found.notes.append(MetadataIndex(length=length, name=record.name, offset=start))
        if record.name == RECORD_NAME:
            found.texts |= record.metadata
    elif code == Opcode.SCHEMA:
        schema = Schema.read(stream)
        found.schemas[schema.id] = schema
    elif code == Opcode.CHANNEL:
        channel = Channel.read(stream)
        found.channels[channel.id] = channel
    elif code == Opcode.MESSAGE:
        _count(found, Message.read(stream, len(content)))


def _take_chunk(found: _Found, chunk: Chunk, length: int) -> None:
    records = breakup_chunk(chunk, validate_crc=True)
    index: dict[int, MessageIndex] = {}
    offset = 0
    for record in records:
        if isinstance(record, Schema):
            found.schemas[record.id] = record
        elif isinstance(record, Channel):
            found.channels[record.id] = record
        elif isinstance(record, Message):
            _count(found, record)
            index.setdefault(record.channel_id, MessageIndex(channel_id=record.channel_id, records=[]))
            index[record.channel_id].records.append((record.log_time, offset))
        offset += _length(record)
    found.pending = list(index.values())
    found.chunks.append(
        ChunkIndex(
            chunk_length=length,
            chunk_start_offset=found.end,
            compression=chunk.compression,
            compressed_size=len(chunk.data),
            message_end_time=chunk.message_end_time,
            message_index_length=0,
            message_index_offsets={},
            message_start_time=chunk.message_start_time,
            uncompressed_size=chunk.uncompressed_size,
        )
    )


def _length(record: McapRecord) -> int:
    if isinstance(record, Message):
        return HEAD.size + MESSAGE_HEAD + len(record.data)
    builder = RecordBuilder()
    record.write(builder)
    return len(builder.end())


def _count(found: _Found, message: Message) -> None:
    found.start_ns = min(found.start_ns, message.log_time) if found.messages else message.log_time
    found.end_ns = max(found.end_ns, message.log_time)
    found.counts[message.channel_id] = found.counts.get(message.channel_id, 0) + 1


def _ending(found: _Found) -> bytes:
    """The last chunk's index where it is missing, the end of the data, the summary, the footer."""
    data = RecordBuilder()
    for index in found.pending:
        start = data.count
        index.write(data)
        found.chunks[-1].message_index_offsets[index.channel_id] = found.end + start
        found.chunks[-1].message_index_length += data.count - start
    DataEnd(0).write(data)
    summary_start = found.end + data.count
    statistics = Statistics(
        attachment_count=0,
        channel_count=len(found.channels),
        channel_message_counts=found.counts,
        chunk_count=len(found.chunks),
        message_count=found.messages,
        metadata_count=len(found.notes),
        message_start_time=found.start_ns,
        message_end_time=found.end_ns,
        schema_count=len(found.schemas),
    )
    for record in (*found.schemas.values(), *found.channels.values(), *found.chunks, *found.notes, statistics):
        record.write(data)
    Footer(summary_start=summary_start, summary_offset_start=0, summary_crc=0).write(data)
    return data.end() + MCAP0_MAGIC


def _contents(file: str, found: _Found) -> Contents:
    topics: list[Topic] = []
    counts: dict[str, int] = {}
    for number, channel in found.channels.items():
        schema = found.schemas.get(channel.schema_id)
        qos = yaml.safe_load(channel.metadata.get("offered_qos_profiles") or "[]")
        type_hash = channel.metadata.get("topic_type_hash", "")
        text = schema.data.decode() if schema else ""
        topics.append(Topic(channel.topic, schema.name if schema else "", text, type_hash, tuple(qos)))
        counts[channel.topic] = counts.get(channel.topic, 0) + found.counts.get(number, 0)
    return Contents(file, found.start_ns, found.end_ns, topics, counts)


def _notes(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Those of the recording, and what the operator said of it later."""
    try:
        return {**texts, **custom_data(read_metadata(folder))}
    except BagError:
        return dict(texts)
