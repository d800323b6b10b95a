"""Bags that this project's recorder or `ros2 bag record` made: MCAP or sqlite3, one file or several, no ROS needed.

with open_bag(path) as bag:
    for topic, received_ns, data in bag.messages(["/joint_states"]): ...
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from smolvla_ros.bags.direct import DirectTopic, direct_topic
from smolvla_ros.bags.episode_notes import RECORD_NAME, EpisodeNotes, notes_of
from smolvla_ros.bags.errors import BagCut, mismatch
from smolvla_ros.bags.metadata import METADATA_FILE, custom_data, read_metadata

ENDINGS = (".mcap", ".db3")
END_MAGIC = b"\x89MCAP0\r\n"
READ_ERRORS = (ReaderError, sqlite3.Error, OSError, ValueError, KeyError, IndexError, TypeError)


def open_bag(path: Path) -> Bag:
    """A bag's folder, or one of its files. Raises BagError: none, a cut one (BagCut), an empty one, or damaged."""
    files = [path] if path.is_file() else sorted(file for file in _listed(path) if file.suffix in ENDINGS)
    if not files and not list(path.glob("*.zstd") if path.is_dir() else ()):
        found = "no such folder" if not path.exists() else "none"
        raise mismatch(path, "a bag: a folder with .mcap or .db3 files", found, "give the folder of a recording")
    for file in files:
        if file.suffix == ".mcap" and not _has_end(file):
            raise BagCut(
                f"{path}: expected a recording that ended in order, found {file.name} without its end; make it whole: "
                f"smolvla dataset repair-bag {path}"
            )
    whole = path if path.is_file() or (path / METADATA_FILE).exists() else files[0]
    if whole != path and len(files) > 1:
        raise BagCut(f"{path}: expected {METADATA_FILE}, found none; write it: ros2 bag reindex {path}")
    try:
        reader = Reader(whole)
        reader.open()
    except READ_ERRORS as error:
        raise mismatch(path, "a sound bag", error, "leave it out, or try smolvla dataset repair-bag") from None
    if not reader.message_count:
        reader.close()
        raise mismatch(path, "messages", "none", "leave it out")
    return Bag(path, reader, _notes(whole, files), files)


class Bag:
    """An open bag. types: topic -> message type. start_ns: when its first message came."""

    def __init__(self, path: Path, reader: Reader, notes: EpisodeNotes | None, files: Sequence[Path]) -> None:
        self.path, self.notes = path, notes
        self._reader, self._files = reader, files
        self._typestore: Typestore | None = None
        self.types = {connection.topic: connection.msgtype for connection in reader.connections}
        self.counts = {topic: info.msgcount for topic, info in reader.topics.items()}
        self.start_ns, self.messages_held = int(reader.start_time), int(reader.message_count)
        self.duration_s = reader.duration / 1e9

    def messages(self, topics: Sequence[str]) -> Iterator[tuple[str, int, bytes]]:
        """Topic, time of arrival in ns, serialized message, in the order of arrival. Raises BagError: damaged."""
        connections = [connection for connection in self._reader.connections if connection.topic in topics]
        if not connections:
            return
        try:
            for connection, received_ns, data in self._reader.messages(connections):
                yield connection.topic, received_ns, data
        except READ_ERRORS as error:
            raise mismatch(self.path, "a sound bag", error, "leave it out, or try smolvla dataset repair-bag") from None

    def direct(self, topic: str) -> DirectTopic | None:
        """Its messages by number, None where they have to be read in order. Only `messages` looks for damage."""
        if len(self._files) != 1 or self._reader.compression_mode:
            return None
        return direct_topic(self._files[0], topic)

    def unpack(self, topic: str, data: bytes | memoryview) -> Any:
        """The message: an object with its fields, arrays as numpy arrays. Raises BagError."""
        if self._typestore is None:
            self._typestore = self._types()
        try:
            return self._typestore.deserialize_cdr(data, self.types[topic])
        except (KeyError, ValueError, IndexError, SerdeError, TypesysError) as error:
            where = f"{self.path}: {topic}"
            raise mismatch(where, f"a {self.types[topic]}", error or "other bytes", "leave the bag out") from None

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _types(self) -> Typestore:
        """Jazzy's, and over them those that the bag brings along."""
        store = get_typestore(Stores.ROS2_JAZZY)
        for connection in self._reader.connections:
            if connection.msgdef.format == MessageDefinitionFormat.MSG:
                types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            elif connection.msgdef.format == MessageDefinitionFormat.IDL:
                types = get_types_from_idl(connection.msgdef.data)
            else:
                continue
            store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
        return store


def _listed(path: Path) -> list[Path]:
    return list(path.iterdir()) if path.is_dir() else []


def _has_end(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(END_MAGIC)))
        return stream.read() == END_MAGIC and file.stat().st_size > 2 * len(END_MAGIC)


def _notes(whole: Path, files: Sequence[Path]) -> EpisodeNotes | None:
    """Those of metadata.yaml, which the operator's later word is in, else those in the file itself."""
    found = notes_of(custom_data(read_metadata(whole))) if whole.is_dir() else None
    for file in files:
        if found is None and file.suffix == ".mcap":
            try:
                with file.open("rb") as stream:
                    records = make_reader(stream).iter_metadata()
                    found = next((notes_of(r.metadata) for r in records if r.name == RECORD_NAME), None)
            except (McapError, ValueError, OSError) as error:
                raise mismatch(file, "a sound bag", error, "try smolvla dataset repair-bag") from None
    return found
