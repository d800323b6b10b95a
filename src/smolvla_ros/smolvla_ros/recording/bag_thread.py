"""The thread that writes a bag, so that a slow disk keeps no message waiting in the middleware.

The recorder hands messages over by `put`, and reads the counts; everything else here belongs to the thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.repair import repair_bag
from smolvla_ros.bags.topic import Topic
from smolvla_ros.bags.writer import BagWriter

FLUSH_PERIOD_S = 0.25
MOST_WAITING_BYTES = 256 * 2**20


class BagThread:
    """failure: what the disk said, once it has failed: then nothing more is taken, and what was flushed is kept."""

    def __init__(self, folder: Path, notes: Mapping[str, str], topics: Sequence[Topic]) -> None:
        """Raises BagError, OSError."""
        self._writer = BagWriter(folder, notes)
        for topic in topics:
            self._writer.add_topic(topic)
        self.folder, self.dropped = folder, 0
        self.failure: OSError | None = None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, int, bytes]] = deque()
        self._waiting_bytes, self._closing, self._flushed_s = 0, False, 0.0
        self._thread = threading.Thread(target=self._run, name="bag", daemon=True)
        self._thread.start()

    @property
    def messages(self) -> int:
        """Written so far."""
        return self._writer.messages

    @property
    def duration_s(self) -> float:
        return self._writer.duration_ns / 1e9

    def put(self, topic: str, arrival_ns: int, data: bytes) -> None:
        """Counted as dropped where the disk has fallen too far behind."""
        with self._changed:
            if self.failure or self._waiting_bytes + len(data) > MOST_WAITING_BYTES:
                self.dropped += 1
                return
            self._waiting.append((topic, arrival_ns, data))
            self._waiting_bytes += len(data)

    def close(self, notes: Mapping[str, str]) -> None:
        """Writes what waits, then index and metadata. Afterwards `failure` tells whether the disk took it."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        if self.failure is None:
            try:
                self._writer.close(notes)
            except OSError as error:
                self._fail(error)

    def _run(self) -> None:
        try:
            while not self._closing:
                begun = time.monotonic()
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, FLUSH_PERIOD_S / 5)
                self._write_waiting()
                if begun - self._flushed_s > FLUSH_PERIOD_S:
                    self._writer.flush()
                    self._flushed_s = begun
            self._write_waiting()
        except OSError as error:
            self._fail(error)

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    return
                topic, arrival_ns, data = self._waiting.popleft()
                self._waiting_bytes -= len(data)
            self._writer.write(topic, arrival_ns, data)

    def _fail(self, error: OSError) -> None:
        """Keeps what is whole: the last chunk, cut off, makes room for the index."""
        self._writer.abandon()
        with self._changed:
            self.failure = error
            self.dropped += len(self._waiting)
            self._waiting.clear()
        try:
            repair_bag(self.folder)
        except (BagError, OSError):  # the operator is told of the failure and of the command that repairs
            return
