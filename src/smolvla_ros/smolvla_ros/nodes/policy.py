"""The policy node: answers each ChunkRequest with an ActionChunk made from the newest images and joint state.

Inference runs in a thread of its own, so that the node stays responsive. It serves one robot or several: the requests
that have come when an inference begins are one batch. Of one robot's requests that wait, only the newest is answered.
The two threads meet in `_Waiting`; what is observed is read by the inference thread alone.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.experimental import EventsExecutor
from rclpy.qos import QoSProfile
from so100_hardware.thread_priority import urgent

from smolvla_msgs.msg import ActionChunk, ChunkRequest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes.conversions import diagnostics_message, seconds, time_message
from smolvla_ros.nodes.exchange_qos import RECEIVED
from smolvla_ros.nodes.lifecycle import ManagedNode
from smolvla_ros.nodes.observed_robot import Arrived, NotReady, ObservedRobot, Seen
from smolvla_ros.nodes.parameters import Parameter
from smolvla_ros.nodes.process import run_node
from smolvla_ros.policies.interface import Chunk, Policy, PolicyRefusal
from smolvla_ros.policies.registry import CONFIGURATION_ERRORS, make_policy
from smolvla_ros.policies.sampler_settings import CHUNKING, SamplerSettings

PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("robots", [""], "namespaces of the robots to serve, relative to the node's; '': its own"),
    Parameter("embodiments", [""], "embodiment files of `robots`, one each; ['']: `embodiment` for all"),
    Parameter(
        "policy",
        "scripted",
        "'scripted', a checkpoint's folder or hub name (owner/name[@revision]), or module:Class",
    ),
    Parameter("device", "cpu", "where a checkpoint runs: cpu, cuda, cuda:1, ..."),
    Parameter("engine", "auto", "what computes: auto, torch, cpu-fp32, cpu-bf16, cpu-int8, cuda-bf16"),
    Parameter("seed", 0, "seed of the sampler's noise", (0, 2**31 - 1)),
    Parameter("num_steps", 0, "flow-matching steps; 0: the checkpoint's", (0, 1000)),
    Parameter(
        "noise_scale",
        -1.0,
        "size of the noise that a chunk is made of, 1 as trained; -1: the checkpoint's",
        (-1.0, 1.0),
    ),
    Parameter("real_time_chunking", "off", "what holds a new chunk to the rows under way: off, guided, trained"),
    Parameter("time_limit", 0.0, "s for a chunk; fewer steps where all would take longer; 0: none", (0.0, 60.0)),
    Parameter("image_transport", "raw", "'raw' or 'compressed' images"),
    Parameter("image_reliability", "best_effort", "'best_effort', or 'reliable': lost parts of images are sent again"),
    Parameter(
        "thread_priority",
        30,
        "SCHED_FIFO priority at which inputs are read and chunks sent, where the host permits it; 0: as others",
        (0, 99),
    ),
    Parameter("image_max_age", 0.5, "s; an older newest image is no observation", (0.01, 60.0)),
    Parameter("joint_state_max_age", 0.3, "s; an older newest joint state is no observation", (0.01, 60.0)),
)
NAMESPACE = re.compile(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)


class SettingError(ValueError):
    """A parameter's value that cannot be. The message names it, expected and found."""


OPERATOR_ERRORS = (*CONFIGURATION_ERRORS, SettingError)


@dataclass
class _Waiting:
    """Of each robot the newest request that nobody has begun to answer; put by the callback, taken by inference."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    requests: dict[str, Arrived] = field(default_factory=dict)
    closing: bool = False

    def put(self, robot: str, arrived: Arrived) -> None:
        with self.changed:
            self.requests[robot] = arrived
            self.changed.notify()

    def take(self) -> dict[str, Arrived] | None:
        """Waits for requests and takes all that are there; None when the node closes."""
        with self.changed:
            self.changed.wait_for(lambda: self.closing or self.requests)
            requests, self.requests = self.requests, {}
            return None if self.closing else requests

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify()


class PolicyNode(ManagedNode):
    """Configured it has its checkpoint loaded, active it answers requests."""

    def __init__(self) -> None:
        super().__init__("policy", PARAMETERS, OPERATOR_ERRORS)
        self._worker: threading.Thread | None = None
        self._robots: dict[str, ObservedRobot] = {}

    def configure(self) -> None:
        settings = self.settings
        _one_of("real_time_chunking", settings["real_time_chunking"], CHUNKING)
        _one_of("image_transport", settings["image_transport"], ("raw", "compressed"))
        _one_of("image_reliability", settings["image_reliability"], ("best_effort", "reliable"))
        files = _embodiment_of_each(settings)
        started = time.monotonic()
        policies: list[Policy] = []
        embodiments = [load_embodiment(file) for file in files.values()]
        for embodiment in embodiments:
            made = policies[0].for_another_robot(embodiment) if policies else self._load(settings, embodiment)
            policies.append(made)
        name = policies[0].name
        self._label = name if settings["policy"] == name else Path(settings["policy"]).name
        self._robots = {
            robot: ObservedRobot(self, robot, embodiment, policy, self._label, settings)
            for robot, embodiment, policy in zip(files, embodiments, policies, strict=True)
        }
        self.get_logger().info(f"policy {self._label} ready after {time.monotonic() - started:.1f} s")
        with urgent(settings["thread_priority"]) as why_not:
            self._priority = 0 if why_not else settings["thread_priority"]
        if why_not:
            self.get_logger().warning(why_not)
        self._next_id, self._largest_batch = 1, 0
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", QoSProfile(depth=1))

    def activate(self) -> None:
        self._waiting = _Waiting()
        self._worker = threading.Thread(target=self._work, args=(self._waiting,), name="inference", daemon=True)
        self._worker.start()
        for name, robot in self._robots.items():
            arrived = partial(self._on_request, name)
            self.create_subscription(ChunkRequest, robot.topic("chunk_request"), arrived, RECEIVED)
        self.create_timer(1.0, self._publish_diagnostics)

    def deactivate(self) -> None:
        """Lets the inference that runs end, but not for long: its answer is not published any more."""
        if self._worker is not None:
            self._waiting.close()
            self._worker.join(timeout=5.0)

    def cleanup(self) -> None:
        """Gives the checkpoint's memory back."""
        self._robots = {}

    def _load(self, settings: dict[str, Any], embodiment: Any) -> Policy:
        return make_policy(
            settings["policy"],
            embodiment,
            device=settings["device"],
            sampler=SamplerSettings(
                settings["num_steps"],
                settings["seed"],
                settings["real_time_chunking"],
                settings["time_limit"],
                settings["noise_scale"],
            ),
            engine=settings["engine"],
        )

    def _on_request(self, robot: str, message: ChunkRequest) -> None:
        self._waiting.put(robot, Arrived(message, self._now_s(), time.monotonic()))

    # the inference thread: what comes before and after the model's own time does not wait for other processes

    def _work(self, waiting: _Waiting) -> None:
        robots = self._robots
        while (requests := waiting.take()) is not None:
            self._largest_batch = max(self._largest_batch, len(requests))
            asked = [(robots[name], arrived) for name, arrived in requests.items()]
            found = self._infer(asked)
            if waiting.closing:
                break
            with urgent(self._priority):
                for number, (robot, arrived) in enumerate(asked):
                    message = self._answer(robot, arrived, found[number])
                    message.header.stamp = time_message(self._now_s())
                    robot.chunks.publish(message)

    def _infer(self, asked: Sequence[tuple[ObservedRobot, Arrived]]) -> dict[int, tuple[Chunk, Seen] | Exception]:
        """For each request by its number; robots that cannot be inferred for leave the others their chunks."""
        seen: dict[int, Seen] = {}
        found: dict[int, tuple[Chunk, Seen] | Exception] = {}
        with urgent(self._priority):
            for number, (robot, arrived) in enumerate(asked):
                try:
                    if arrived.request.reset:
                        robot.policy.reset()
                    seen[number] = robot.observe(arrived)
                except Exception as error:
                    found[number] = error
        if seen:
            together = [(asked[number][0].policy, each.observation) for number, each in seen.items()]
            for (number, each), chunk in zip(seen.items(), together[0][0].infer_together(together), strict=True):
                found[number] = (chunk, each) if isinstance(chunk, Chunk) else chunk
        return found

    def _answer(self, robot: ObservedRobot, arrived: Arrived, found: tuple[Chunk, Seen] | Exception) -> ActionChunk:
        message = robot.answer(arrived, self._next_id)
        self._next_id += 1
        if isinstance(found, Exception):
            self._refuse(robot, message, found)
        else:
            robot.fill(message, *found, arrived)
            robot.trouble = ""
        robot.answers += 1
        return message

    def _refuse(self, robot: ObservedRobot, message: ActionChunk, error: Exception) -> None:
        if isinstance(error, PolicyRefusal):
            message.status, message.message = ActionChunk.STATUS_REFUSED, str(error)
        elif isinstance(error, NotReady):
            message.status, message.message = ActionChunk.STATUS_FAILED, str(error)
        else:  # whatever a model raises must reach the operator, not end this thread
            why = f"inference failed: {type(error).__name__}: {error}"
            message.status, message.message = ActionChunk.STATUS_FAILED, why
        robot.failures += 1
        if message.message != robot.trouble:
            self.get_logger().error(f"{robot.name}: {message.message}" if robot.name else message.message)
        robot.trouble = message.message

    # what it tells

    def _publish_diagnostics(self) -> None:
        stamp, told = time_message(self._now_s()), DiagnosticArray()
        told.header.stamp = stamp
        for name, robot in self._robots.items():
            level = DiagnosticStatus.ERROR if robot.trouble else DiagnosticStatus.OK
            values = {"policy": self._label, "answers": robot.answers, "without_rows": robot.failures}
            values["largest_batch"] = self._largest_batch
            status = f"policy {name}" if name else "policy"
            told.status += diagnostics_message(stamp, status, level, robot.trouble or "ready", values).status
        self._diagnostics.publish(told)

    def _now_s(self) -> float:
        return seconds(self.get_clock().now().to_msg())


def _one_of(name: str, found: str, expected: Sequence[str]) -> None:
    if found not in expected:
        raise SettingError(f"{name}: expected {' or '.join(expected)}, found '{found}'")


def _embodiment_of_each(settings: dict[str, Any]) -> dict[str, str]:
    """Robots to embodiment files. Raises SettingError."""
    robots, files = settings["robots"], settings["embodiments"]
    if not robots or len(set(robots)) < len(robots):
        raise SettingError(f"robots: expected namespaces, each once, found {list(robots)}")
    for robot in robots:
        if robot and not NAMESPACE.fullmatch(robot):
            raise SettingError(f"robots: expected names of letters, digits and _, found '{robot}'")
    if list(files) == [""]:
        files = [settings["embodiment"]] * len(robots)
    if len(files) != len(robots):
        raise SettingError(f"embodiments: expected {len(robots)} files, one for each of robots, found {len(files)}")
    return dict(zip(robots, files, strict=True))


def main() -> None:
    # rclpy's default lists anew, after each request, all that there is to wait for, and inference waits meanwhile
    run_node(PolicyNode, OPERATOR_ERRORS, EventsExecutor)


if __name__ == "__main__":
    main()
