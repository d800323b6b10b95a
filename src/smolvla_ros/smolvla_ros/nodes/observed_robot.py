"""One robot as the policy node sees it: its newest images and joint state as an observation, its requests and chunks.

Stamps of images and joint states are compared with the robot's clock alone, as the request tells it: the policy's
machine may have another.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, JointState

from smolvla_msgs.msg import ActionChunk, ChunkRequest, LatencySplit, SceneState
from smolvla_ros.bags.errors import ImageError
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.nodes.conversions import (
    duration_message,
    image_array,
    joint_positions,
    object_poses,
    rows_array,
    rows_message,
    seconds,
    time_message,
)
from smolvla_ros.nodes.exchange_qos import CHUNK
from smolvla_ros.nodes.newest import NEWEST, REPEATED_NEWEST, Newest
from smolvla_ros.policies.interface import Chunk, Observation, Policy

STAGES = ("preprocess", "encode", "denoise", "postprocess")


class NotReady(RuntimeError):
    """An input is missing or stale. The message names the topic, what was expected and what was found."""


@dataclass(frozen=True)
class Arrived:
    """A request and when it came: by this machine's clock, and by the one that is never set."""

    request: ChunkRequest
    stamp_s: float
    monotonic_s: float

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self.monotonic_s


@dataclass(frozen=True)
class Seen:
    """An observation with the stamps of its parts. age_s: of the oldest one, by the robot's clock."""

    observation: Observation
    stamps_s: dict[str, float]
    age_s: float


class ObservedRobot:
    """`name` is its namespace within the node's; '' where the node serves only its own.

    State: the newest messages, the images of the chunk before, counts. For the inference thread.
    """

    def __init__(
        self, node: Node, name: str, embodiment: Embodiment, policy: Policy, label: str, settings: dict[str, Any]
    ) -> None:
        self.name, self.policy = name, policy
        self.trouble = ""
        self.answers = self.failures = 0
        self._embodiment, self._label = embodiment, label
        self._image_max_age_s = settings["image_max_age"]
        self._joint_state_max_age_s = settings["joint_state_max_age"]
        compressed = settings["image_transport"] == "compressed"
        qos = REPEATED_NEWEST if settings["image_reliability"] == "reliable" else NEWEST
        self._images = {}
        for camera in policy.cameras:
            topic = self.topic(embodiment.camera(camera).topic.lstrip("/"))
            image_type, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
            self._images[camera] = Newest(node, image_type, topic + suffix, qos)
        self._joint_states = Newest(node, JointState, self.topic("joint_states"))
        self._scene = Newest(node, SceneState, self.topic("simulator/scene")) if policy.needs_objects else None
        self._image_stamps: dict[str, float] = {}
        self.chunks = node.create_publisher(ActionChunk, self.topic("action_chunk"), CHUNK)

    def topic(self, name: str) -> str:
        return f"{self.name}/{name}" if self.name else name

    def observe(self, arrived: Arrived) -> Seen:
        """What the newest messages show. Raises NotReady."""
        request = arrived.request
        if not request.id or not seconds(request.header.stamp):
            raise NotReady("chunk_request: expected an id above 0 and a stamp of the robot's clock, found none")
        joint_state, joint_state_s = self._newest(self._joint_states)
        # both were so late at least: the request when it was sent, the joint state when it was measured
        robot_s = max(seconds(request.header.stamp) + arrived.waited_s, joint_state_s)
        self._check_age(self._joint_states, joint_state_s, robot_s, self._joint_state_max_age_s)
        stamps, images = {"joint_states": joint_state_s}, {}
        for name, newest in self._images.items():
            message, stamps[name] = self._newest(newest)
            self._check_age(newest, stamps[name], robot_s, self._image_max_age_s)
            try:
                images[name] = image_array(message)
            except ImageError as error:
                raise NotReady(f"{newest.topic}: {error}") from error
        stamp_s, objects = min(stamps.values()), None
        if self._scene is not None:
            scene, scene_s = self._newest(self._scene)
            self._check_age(self._scene, scene_s, robot_s, self._image_max_age_s)
            stamp_s, objects = min(stamp_s, scene_s), object_poses(scene)
        observation = Observation(
            stamp_s=stamp_s,
            images=images,
            positions=self._positions(joint_state),
            instruction=request.instruction,
            committed=rows_array(request.committed) if request.committed else None,
            committed_start_s=seconds(request.committed_start),
            committed_step_s=seconds(request.step),
            delay_rows=request.delay_rows,
            objects=objects,
        )
        return Seen(observation, stamps, robot_s - stamp_s)

    def answer(self, arrived: Arrived, chunk_id: int) -> ActionChunk:
        """Without rows and status yet."""
        return ActionChunk(
            id=chunk_id,
            request_id=arrived.request.id,
            request_stamp=arrived.request.header.stamp,
            request_received=time_message(arrived.stamp_s),
            policy=self._label,
            instruction=arrived.request.instruction,
            joint_names=list(self._embodiment.wire_names),
        )

    def fill(self, message: ActionChunk, chunk: Chunk, seen: Seen, arrived: Arrived) -> None:
        stamps_s = seen.stamps_s
        message.observation_stamp = time_message(seen.observation.stamp_s)
        message.step = duration_message(chunk.step_s)
        message.positions = rows_message(np.asarray(chunk.positions, dtype=float))
        message.joint_state_stamp = time_message(stamps_s["joint_states"])
        message.camera_names = list(self._images)
        message.image_stamps = [time_message(stamps_s[name]) for name in self._images]
        message.image_reused = [self._image_stamps.get(name) == stamps_s[name] for name in self._images]
        self._image_stamps = {name: stamps_s[name] for name in self._images}
        message.prefix_rows, message.denoise_steps = chunk.prefix_rows, chunk.denoise_steps
        message.latency = LatencySplit(
            observation_age=seen.age_s,
            total=arrived.waited_s,
            **{stage: float(chunk.latency_s.get(stage, 0.0)) for stage in STAGES},
        )

    def _positions(self, joint_state: JointState) -> np.ndarray:
        """(joints,) rad in the embodiment's order. Raises NotReady."""
        positions = joint_positions(joint_state, self._embodiment.wire_names)
        if positions is None:
            expected, found = ", ".join(self._embodiment.wire_names), ", ".join(joint_state.name) or "none"
            raise NotReady(f"{self._joint_states.topic}: expected joints {expected}; found {found}")
        if not np.isfinite(positions).all():
            raise NotReady(f"{self._joint_states.topic}: expected numbers, found {positions.tolist()}")
        return positions

    def _newest(self, newest: Newest) -> tuple[Any, float]:
        """The message and its stamp. Raises NotReady where there is none."""
        message = newest.get()
        if message is None:
            if newest.unheard:
                raise NotReady(
                    f"{newest.topic}: expected a publisher that sends lost parts again, found one that does not; set "
                    "image_reliability to best_effort, or the publisher's QoS to reliable"
                )
            raise NotReady(f"{newest.topic}: nothing has come on it; is its publisher running?")
        return message, seconds(message.header.stamp)

    def _check_age(self, newest: Newest, stamp_s: float, robot_s: float, max_age_s: float) -> None:
        """Raises NotReady where the message is too old, or of a time that the robot's clock has not reached."""
        age_s = robot_s - stamp_s
        if age_s > max_age_s:
            raise NotReady(
                f"{newest.topic}: expected a message of the last {max_age_s:g} s, the newest is {age_s:.2f} s old"
            )
        if age_s < -max_age_s:
            raise NotReady(
                f"{newest.topic}: expected a stamp of the executor's clock, found one {-age_s:.2f} s ahead of it: "
                "does its publisher run on another machine? Run chrony on both"
            )
