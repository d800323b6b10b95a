"""A bag as the stamped streams of one episode: state and pictures by their own stamps, actions by what had been told.

`action` at a step is the position that the controller had been told, by then, to be at one step later: the goal that
LeRobot's `send_action` would have been given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.bags.errors import BagError, mismatch
from smolvla_ros.bags.reader import Bag, open_bag
from smolvla_ros.bags.serialized import stamp_ns
from smolvla_ros.conversion.commanded import NANOSECONDS, Command, commanded_positions
from smolvla_ros.conversion.messages import command_of, joint_positions, picture
from smolvla_ros.conversion.topics import POSITIONS, TRAJECTORIES, Sources, sources
from smolvla_ros.data.alignment import clock
from smolvla_ros.data.features import ACTION, STATE
from smolvla_ros.data.streams import ImageStream, Recording, ValueStream
from smolvla_ros.embodiment import Camera, Embodiment
from smolvla_ros.units import LeRobotUnits

FARTHEST_STAMP_S = 5.0
"""A header stamp farther than this from the time of arrival is of another clock."""


def recording_of(bag: Bag, embodiment: Embodiment, fps: int, task: str = "") -> Recording:
    """task: in place of the bag's own instruction. Raises BagError, DatasetError."""
    found = sources(bag, embodiment)
    if not found.commands:
        there = ", ".join(sorted(topic for topic, count in bag.counts.items() if count))
        expected = f"messages of {TRAJECTORIES} or {POSITIONS}, the actions"
        raise mismatch(f"{bag.path}: topics", expected, there, "record it too")
    read = _Read(bag, found, embodiment)
    if not read.commands:
        topics = " and ".join(found.commands)
        raise mismatch(f"{bag.path}: {topics}", "trajectories with points, or positions", "none", "leave the bag out")
    units = LeRobotUnits(embodiment)
    state = ValueStream(np.array(read.joint_stamps), units.from_radians(np.array(read.positions)).astype(np.float32))
    images = {
        camera.feature: ImageStream(np.array(read.image_stamps[topic]), _Pictures(bag.path, topic, camera).at)
        for topic, camera in found.cameras.items()
    }
    stamps = {STATE: state.stamps_ns, **{name: stream.stamps_ns for name, stream in images.items()}}
    told = np.array([read.commands[0].received_ns, max(int(stamps[STATE][-1]), read.commands[0].received_ns)])
    steps = clock({**stamps, ACTION: told}, fps)
    goals = units.from_radians(commanded_positions(read.commands, steps, NANOSECONDS // fps))
    notes = bag.notes
    return Recording(
        task=task or (notes.instruction if notes else "") or read.instruction,
        values={ACTION: _held(steps, int(told[-1]), goals.astype(np.float32)), STATE: state},
        images=images,
        notes={} if notes is None else {"success": notes.succeeded, "note": notes.note},
    )


def _held(steps: np.ndarray, end_ns: int, goals: np.ndarray) -> ValueStream:
    """The last goal holds to the end, so that the clock of these streams is the one that the goals are of."""
    return ValueStream(np.append(steps, max(end_ns, int(steps[-1]))), np.concatenate([goals, goals[-1:]]))


class _Read:
    """One pass through a bag: everything but the pictures, of which only the stamps are looked at."""

    def __init__(self, bag: Bag, found: Sources, embodiment: Embodiment) -> None:
        self.joint_stamps: list[int] = []
        self.positions: list[np.ndarray] = []
        self.image_stamps: dict[str, list[int]] = {topic: [] for topic in found.cameras}
        self.commands: list[Command] = []
        self.instruction = ""
        names = embodiment.wire_names
        wanted = [found.joint_states, *found.commands, found.executor_state, *found.cameras]
        for topic, received_ns, data in bag.messages([topic for topic in wanted if topic]):
            where = f"{bag.path}: {topic}"
            if topic in self.image_stamps:
                self.image_stamps[topic].append(_stamp(where, data, received_ns))
            elif topic == found.joint_states:
                self.joint_stamps.append(_stamp(where, data, received_ns))
                self.positions.append(joint_positions(where, bag.unpack(topic, data), names))
            elif topic in found.commands:
                command = command_of(where, bag.unpack(topic, data), received_ns, names)
                self.commands += [] if command is None else [command]
            elif not self.instruction:
                self.instruction = str(bag.unpack(topic, data).instruction)


def _stamp(where: str, data: bytes, received_ns: int) -> int:
    try:
        stamp = stamp_ns(data)
    except ValueError as error:
        raise BagError(f"{where}: {error}; leave the bag out") from None
    apart_s = abs(stamp - received_ns) / NANOSECONDS
    if apart_s > FARTHEST_STAMP_S:
        remedy = "set the clocks of the machines alike; with simulated time record with ros2 bag record --use-sim-time"
        raise mismatch(where, "header stamps of the clock that recorded", f"one {apart_s:.1f} s apart", remedy)
    return stamp


class _Pictures:
    """Pictures of one camera, decoded when asked for: by number where the bag allows it. Otherwise going forward reads
    it once.
    """

    def __init__(self, path: Path, topic: str, camera: Camera) -> None:
        self._path, self._topic, self._camera = path, topic, camera
        self._bag = open_bag(path)
        self._direct = self._bag.direct(topic)
        self._last, self._messages = -1, self._read()

    def at(self, sample: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB. Raises BagError."""
        return picture(f"{self._path}: {self._topic}: image {sample}", self._message(sample), self._camera)

    def _message(self, sample: int) -> Any:
        if self._direct is not None:
            return self._bag.unpack(self._topic, self._direct[sample])
        if sample <= self._last:
            self._messages = self._read()
        for number, data in self._messages:
            if number == sample:
                self._last = number
                return self._bag.unpack(self._topic, data)
        raise IndexError(f"{self._path}: {self._topic} has no image {sample}")

    def _read(self) -> Iterator[tuple[int, bytes]]:
        with open_bag(self._path) as bag:
            for number, (_, _, data) in enumerate(bag.messages([self._topic])):
                yield number, data
