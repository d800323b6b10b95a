"""Bags made without a robot: what tests and benchmarks record. Messages are serialized by rosbags, so no ROS is needed.

maker = BagMaker(folder, EpisodeNotes("lift the cube"))
maker.joint_state(stamp_ns, names, positions); maker.image("/top/image_raw", stamp_ns, picture)
maker.close()
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.typesys import Stores, get_typestore

from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.serialized import NANOSECONDS
from smolvla_ros.bags.topic import Topic, qos_profile
from smolvla_ros.bags.writer import BagWriter
from smolvla_ros.embodiment import Camera, Embodiment

COMMANDS_TOPIC = "/joint_trajectory_controller/joint_trajectory"
POSITIONS_TOPIC = "/forward_position_controller/commands"
STORE = get_typestore(Stores.ROS2_JAZZY)
BEGIN_NS = 1_700_000_000 * NANOSECONDS
COMMAND_PERIOD_S, JOINT_PERIOD_S = 0.5, 0.01
JPEG_QUALITY = 90


class BagMaker:
    """Messages are written in the order that they are given in; arrival is stamp + delay."""

    def __init__(self, folder: Path, notes: EpisodeNotes | None = None, delay_ns: int = 1_000_000) -> None:
        self._notes = notes.to_texts() if notes else {}
        self.writer, self._delay_ns = BagWriter(folder, self._notes), delay_ns
        self._topics: set[str] = set()

    def message(self, topic: str, arrival_ns: int, message_type: str, message: Any) -> None:
        if topic not in self._topics:
            definition = STORE.generate_msgdef(message_type)[0]
            type_hash = STORE.hash_rihs01(message_type)
            self.writer.add_topic(Topic(topic, message_type, definition, type_hash, (qos_profile(5, False),)))
            self._topics.add(topic)
        self.writer.write(topic, arrival_ns, bytes(STORE.serialize_cdr(message, message_type)))

    def joint_state(self, stamp_ns: int, names: Sequence[str], positions: np.ndarray) -> None:
        """Positions are (joints,) rad."""
        joints = STORE.types["sensor_msgs/msg/JointState"]
        empty = np.zeros(0)
        message = joints(_header(stamp_ns), list(names), np.asarray(positions, dtype=float), empty, empty)
        self.message("/joint_states", stamp_ns + self._delay_ns, "sensor_msgs/msg/JointState", message)

    def image(self, topic: str, stamp_ns: int, picture: np.ndarray, jpeg: bool = False) -> None:
        """The picture is (height, width, 3) uint8 RGB. With jpeg it goes to topic/compressed."""
        if jpeg:
            _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            kind, name = "sensor_msgs/msg/CompressedImage", f"{topic}/compressed"
            message = STORE.types[kind](_header(stamp_ns), "rgb8; jpeg compressed bgr8", coded.ravel())
        else:
            kind, name = "sensor_msgs/msg/Image", topic
            height, width = picture.shape[:2]
            message = STORE.types[kind](_header(stamp_ns), height, width, "rgb8", 0, 3 * width, picture.ravel())
        self.message(name, stamp_ns + self._delay_ns, kind, message)

    def command(
        self, arrival_ns: int, names: Sequence[str], start_ns: int, times_s: Sequence[float], rows: np.ndarray
    ) -> None:
        """Rows are (points, joints) rad, at times_s after start_ns; start_ns 0 means on arrival."""
        point = STORE.types["trajectory_msgs/msg/JointTrajectoryPoint"]
        empty = np.zeros(0)
        points = [
            point(np.asarray(row, dtype=float), empty, empty, empty, _duration(time_s))
            for time_s, row in zip(times_s, rows, strict=True)
        ]
        kind = "trajectory_msgs/msg/JointTrajectory"
        self.message(COMMANDS_TOPIC, arrival_ns, kind, STORE.types[kind](_header(start_ns), list(names), points))

    def positions(self, arrival_ns: int, positions: np.ndarray) -> None:
        """What forward_position_controller is told: (joints,) rad."""
        layout = STORE.types["std_msgs/msg/MultiArrayLayout"]
        kind = "std_msgs/msg/Float64MultiArray"
        message = STORE.types[kind](layout([], 0), np.asarray(positions, dtype=float))
        self.message(POSITIONS_TOPIC, arrival_ns, kind, message)

    def close(self) -> None:
        self.writer.close(self._notes)


def make_bag(
    folder: Path,
    embodiment: Embodiment,
    duration_s: float,
    jpeg: bool = False,
    instruction: str = "lift the cube",
    begin_ns: int = BEGIN_NS,
) -> None:
    """An arm that swings before cameras that see something move, with the embodiment's names, sizes and rates."""
    notes = EpisodeNotes(instruction, embodiment.path.read_text(encoding="utf-8"), True)
    maker, names = BagMaker(folder, notes), embodiment.wire_names
    middle = (embodiment.lower_rad + embodiment.upper_rad) / 2
    events: list[tuple[float, str, Camera | None]] = []
    events += [(float(t), "joints", None) for t in np.arange(0, duration_s, JOINT_PERIOD_S)]
    events += [(float(t), "command", None) for t in np.arange(0, duration_s, COMMAND_PERIOD_S)]
    for camera in embodiment.cameras:
        events += [(float(t), "image", camera) for t in np.arange(0.003, duration_s, 1 / camera.rate_hz)]
    background = {
        camera.name: _background(camera.height, camera.width, i) for i, camera in enumerate(embodiment.cameras)
    }
    for time_s, kind, eye in sorted(events, key=lambda event: event[0]):
        stamp_ns = begin_ns + round(time_s * NANOSECONDS)
        if eye is not None:
            maker.image(eye.topic, stamp_ns, _picture(background[eye.name], time_s), jpeg)
        elif kind == "joints":
            maker.joint_state(stamp_ns, names, swing(middle, time_s))
        else:
            ahead = np.arange(0.0, 2 * COMMAND_PERIOD_S, 0.1)
            rows = np.stack([swing(middle, time_s + float(t)) for t in ahead])
            maker.command(stamp_ns, names, stamp_ns, ahead.tolist(), rows)
    maker.close()


def swing(middle: np.ndarray, time_s: float) -> np.ndarray:
    """(joints,) rad."""
    return middle + 0.2 * np.sin(2 * time_s + np.arange(len(middle)))


def _background(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (31, 31), 8), None, 0, 255, cv2.NORM_MINMAX)


def _picture(background: np.ndarray, time_s: float) -> np.ndarray:
    picture = background.copy()
    height, width = picture.shape[:2]
    x, y = int(width * (0.5 + 0.4 * np.sin(time_s))), int(height * (0.5 + 0.3 * np.cos(time_s)))
    cv2.circle(picture, (x, y), max(2, height // 8), (200, 30, 30), -1)
    return picture


def _header(stamp_ns: int) -> Any:
    time = STORE.types["builtin_interfaces/msg/Time"]
    header = STORE.types["std_msgs/msg/Header"]
    return header(time(stamp_ns // NANOSECONDS, stamp_ns % NANOSECONDS), "")


def _duration(duration_s: float) -> Any:
    total = round(duration_s * NANOSECONDS)
    return STORE.types["builtin_interfaces/msg/Duration"](total // NANOSECONDS, total % NANOSECONDS)
