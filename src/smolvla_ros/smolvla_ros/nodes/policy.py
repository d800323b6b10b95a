"""The policy node: answers each ChunkRequest with an ActionChunk made from the newest images and joint state.

Inference runs in a thread of its own, so that the node stays responsive; of requests that wait, only the newest is
answered. The two threads meet in `_Waiting`; what is observed is read by the inference thread alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState

from smolvla_msgs.msg import ActionChunk, ChunkRequest, LatencySplit, SceneState
from smolvla_ros.bags.errors import ImageError
from smolvla_ros.embodiment import Embodiment, EmbodimentError, load_embodiment
from smolvla_ros.nodes.conversions import (
    diagnostics_message,
    duration_message,
    image_array,
    joint_positions,
    object_poses,
    rows_array,
    rows_message,
    seconds,
    time_message,
)
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.newest import Newest
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.policies.interface import Chunk, Observation, PolicyRefusal
from smolvla_ros.policies.registry import CONFIGURATION_ERRORS, make_policy
from smolvla_ros.policies.sampler_settings import CHUNKING, SamplerSettings

PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("policy", "scripted", "'scripted', a checkpoint's folder, or its name on the hub: owner/name[@revision]"),
    Parameter("device", "cpu", "where a checkpoint runs: cpu, cuda, cuda:1, ..."),
    Parameter("engine", "auto", "what computes: auto, torch, cpu-fp32, cpu-bf16, cpu-int8, cuda-bf16"),
    Parameter("seed", 0, "seed of the sampler's noise", (0, 2**31 - 1)),
    Parameter("num_steps", 0, "flow-matching steps; 0: the checkpoint's", (0, 1000)),
    Parameter("real_time_chunking", "off", "what holds a new chunk to the rows under way: off, guided, trained"),
    Parameter("time_limit", 0.0, "s for a chunk; fewer steps where all would take longer; 0: none", (0.0, 60.0)),
    Parameter("image_transport", "raw", "'raw' or 'compressed' images"),
    Parameter("image_max_age", 0.5, "s; an older newest image is no observation", (0.01, 60.0)),
    Parameter("joint_state_max_age", 0.3, "s; an older newest joint state is no observation", (0.01, 60.0)),
)


class NotReady(RuntimeError):
    """An input is missing or stale. The message names the topic, what was expected and what was found."""


@dataclass
class _Waiting:
    """The newest request that nobody has begun to answer; written by the callback, taken by the inference thread."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    request: ChunkRequest | None = None
    arrival_s: float = 0.0
    closing: bool = False

    def put(self, request: ChunkRequest, arrival_s: float) -> None:
        with self.changed:
            self.request, self.arrival_s = request, arrival_s
            self.changed.notify()

    def take(self) -> tuple[ChunkRequest, float] | None:
        """Waits for a request; None when the node closes."""
        with self.changed:
            self.changed.wait_for(lambda: self.closing or self.request is not None)
            request, self.request = self.request, None
            return None if self.closing or request is None else (request, self.arrival_s)

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify()


class PolicyNode(ManagedNode):
    """Configured it has its checkpoint loaded, active it answers requests."""

    def __init__(self) -> None:
        super().__init__("policy", PARAMETERS, CONFIGURATION_ERRORS)
        self._worker: threading.Thread | None = None

    def configure(self) -> None:
        settings = self.settings
        if settings["real_time_chunking"] not in CHUNKING:
            expected, found = ", ".join(CHUNKING), settings["real_time_chunking"]
            raise EmbodimentError(f"real_time_chunking: expected one of {expected}, found '{found}'")
        if settings["image_transport"] not in ("raw", "compressed"):
            raise EmbodimentError(f"image_transport: expected raw or compressed, found '{settings['image_transport']}'")
        self._settings = settings
        self._embodiment: Embodiment = load_embodiment(settings["embodiment"])
        started = time.monotonic()
        self._policy: Any = make_policy(
            settings["policy"],
            self._embodiment,
            device=settings["device"],
            sampler=SamplerSettings(
                settings["num_steps"], settings["seed"], settings["real_time_chunking"], settings["time_limit"]
            ),
            engine=settings["engine"],
        )
        self._label = self._policy.name if settings["policy"] == self._policy.name else Path(settings["policy"]).name
        self.get_logger().info(f"policy {self._label} ready after {time.monotonic() - started:.1f} s")
        image_type = Image if settings["image_transport"] == "raw" else CompressedImage
        self._images = {name: Newest(self, image_type, self._image_topic(name)) for name in self._policy.cameras}
        self._joint_states = Newest(self, JointState, "joint_states")
        self._scene = Newest(self, SceneState, "simulator/scene") if self._policy.needs_objects else None
        self._image_stamps: dict[str, float] = {}
        self._next_id = 1
        self._trouble = ""
        self._chunk_publisher = self.create_publisher(ActionChunk, "action_chunk", QoSProfile(depth=5))
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=1))

    def activate(self) -> None:
        self._waiting = _Waiting()
        self._worker = threading.Thread(target=self._work, args=(self._waiting,), name="inference", daemon=True)
        self._worker.start()
        self.create_subscription(ChunkRequest, "chunk_request", self._on_request, QoSProfile(depth=5))
        self.create_timer(1.0, self._publish_diagnostics)

    def deactivate(self) -> None:
        """Lets the inference that runs end, but not for long: its answer is not published any more."""
        if self._worker is not None:
            self._waiting.close()
            self._worker.join(timeout=5.0)

    def cleanup(self) -> None:
        """Gives the checkpoint's memory back."""
        self._policy = None

    def _image_topic(self, camera: str) -> str:
        topic = self._embodiment.camera(camera).topic.lstrip("/")
        return topic if self._settings["image_transport"] == "raw" else f"{topic}/compressed"

    def _on_request(self, message: ChunkRequest) -> None:
        self._waiting.put(message, self._now_s())

    # the inference thread

    def _work(self, waiting: _Waiting) -> None:
        while (request := waiting.take()) is not None:
            answer = self._answer(*request)
            if not waiting.closing:
                self._chunk_publisher.publish(answer)

    def _answer(self, request: ChunkRequest, arrival_s: float) -> ActionChunk:
        message = ActionChunk(
            id=self._next_id,
            request_id=request.id,
            policy=self._label,
            instruction=request.instruction,
            joint_names=list(self._embodiment.joint_names),
        )
        self._next_id += 1
        try:
            if request.reset:
                self._policy.reset()
            observation, stamps = self._observe(request)
            begun_s = self._now_s()
            chunk = self._policy.infer(observation)
            self._fill(message, chunk, observation, stamps)
            message.latency = LatencySplit(
                observation_age=begun_s - observation.stamp_s,
                total=self._now_s() - arrival_s,
                **{stage: float(chunk.latency_s.get(stage, 0.0)) for stage in _STAGES},
            )
            self._trouble = ""
        except PolicyRefusal as refusal:
            self._refuse(message, ActionChunk.STATUS_REFUSED, str(refusal))
        except NotReady as missing:
            self._refuse(message, ActionChunk.STATUS_FAILED, str(missing))
        except Exception as error:  # whatever a model raises must reach the operator, not end this thread
            self._refuse(message, ActionChunk.STATUS_FAILED, f"inference failed: {type(error).__name__}: {error}")
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _refuse(self, message: ActionChunk, status: int, why: str) -> None:
        message.status, message.message = status, why
        if why != self._trouble:
            self.get_logger().error(why)
        self._trouble = why

    def _observe(self, request: ChunkRequest) -> tuple[Observation, dict[str, float]]:
        """The observation and the stamps of its images and joint state. Raises NotReady."""
        now_s, max_age_s = self._now_s(), self._settings["image_max_age"]
        joint_state, joint_state_s = self._fresh(self._joint_states, now_s, self._settings["joint_state_max_age"])
        stamps, images = {"joint_states": joint_state_s}, {}
        for name, newest in self._images.items():
            message, stamps[name] = self._fresh(newest, now_s, max_age_s)
            try:
                images[name] = image_array(message)
            except ImageError as error:
                raise NotReady(f"{newest.topic}: {error}") from error
        stamp_s, objects = min(stamps.values()), None
        if self._scene is not None:
            scene, scene_s = self._fresh(self._scene, now_s, max_age_s)
            stamp_s, objects = min(stamp_s, scene_s), object_poses(scene)
        return (
            Observation(
                stamp_s=stamp_s,
                images=images,
                positions=self._positions(joint_state),
                instruction=request.instruction,
                committed=rows_array(request.committed) if request.committed else None,
                committed_start_s=seconds(request.committed_start),
                committed_step_s=seconds(request.step),
                delay_rows=request.delay_rows,
                objects=objects,
            ),
            stamps,
        )

    def _positions(self, joint_state: JointState) -> np.ndarray:
        """(joints,) rad in the embodiment's order. Raises NotReady."""
        positions = joint_positions(joint_state, self._embodiment.joint_names)
        if positions is None:
            expected, found = ", ".join(self._embodiment.joint_names), ", ".join(joint_state.name) or "none"
            raise NotReady(f"{self._joint_states.topic}: expected joints {expected}; found {found}")
        if not np.isfinite(positions).all():
            raise NotReady(f"{self._joint_states.topic}: expected numbers, found {positions.tolist()}")
        return positions

    def _fresh(self, newest: Newest, now_s: float, max_age_s: float) -> tuple[Any, float]:
        """The newest message and its stamp. Raises NotReady where there is none or it is too old."""
        message = newest.get()
        if message is None:
            raise NotReady(f"{newest.topic}: nothing has come on it; is its publisher running?")
        stamp_s = seconds(message.header.stamp)
        if abs(now_s - stamp_s) > max_age_s:
            age_s = now_s - stamp_s
            raise NotReady(
                f"{newest.topic}: expected a message of the last {max_age_s:g} s, the newest is {age_s:.2f} s old"
            )
        return message, stamp_s

    def _fill(self, message: ActionChunk, chunk: Chunk, observation: Observation, stamps: dict[str, float]) -> None:
        message.observation_stamp = time_message(observation.stamp_s)
        message.step = duration_message(chunk.step_s)
        message.positions = rows_message(np.asarray(chunk.positions, dtype=float))
        message.joint_state_stamp = time_message(stamps["joint_states"])
        message.camera_names = list(self._images)
        message.image_stamps = [time_message(stamps[name]) for name in self._images]
        message.image_reused = [self._image_stamps.get(name) == stamps[name] for name in self._images]
        self._image_stamps = {name: stamps[name] for name in self._images}
        message.prefix_rows, message.denoise_steps = chunk.prefix_rows, chunk.denoise_steps

    def _publish_diagnostics(self) -> None:
        level = DiagnosticStatus.ERROR if self._trouble else DiagnosticStatus.OK
        values = {"policy": self._label, "answers": self._next_id - 1}
        self._diagnostics.publish(
            diagnostics_message(self.get_clock().now().to_msg(), "policy", level, self._trouble or "ready", values)
        )

    def _now_s(self) -> float:
        return seconds(self.get_clock().now().to_msg())


_STAGES: Sequence[str] = ("preprocess", "encode", "denoise", "postprocess")


def main() -> None:
    run_node(PolicyNode, CONFIGURATION_ERRORS)


if __name__ == "__main__":
    main()
