"""A running graph with an operator beside it: what `smolvla run` and `smolvla eval` share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from smolvla_ros.cameras.choice import chosen_cameras
from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.runtime.camera_nodes import camera_nodes
from smolvla_ros.runtime.description import robot_description
from smolvla_ros.runtime.errors import RosMissing, SessionError
from smolvla_ros.runtime.graph import ArgumentError, graph, serial_port
from smolvla_ros.runtime.prefixed_files import with_prefix
from smolvla_ros.runtime.processes import NodeProcesses, prepare_environment, wait_until

START_TIMEOUT_S = 60.0
# on a busy machine nodes of another graph are known no sooner
DISCOVERY_S = 2.5


class Session:
    """Starts the nodes on entry and stops them on exit. `log_folder` keeps each node's log and parameters."""

    def __init__(self, arguments: Mapping[str, str], log_folder: Path) -> None:
        self.arguments = dict(arguments)
        if self.arguments["hardware_type"] == "mock_components":
            raise ArgumentError(
                "hardware_type: mock_components needs a ROS host (ros2_control); here: mujoco, virtual or real"
            )
        if self.arguments["use_rviz"] == "true":
            raise ArgumentError("use_rviz: rviz2 needs a ROS host; here: use_rviz:=false")
        self._run_folder = tempfile.TemporaryDirectory(prefix="so100_")
        folder = Path(self._run_folder.name)
        self.arguments["embodiment"] = with_prefix(arguments["embodiment"], arguments["prefix"], folder)
        self.embodiment: Embodiment = load_embodiment(self.arguments["embodiment"])
        self.simulated, self.led = arguments["hardware_type"] == "mujoco", bool(arguments["leader_port"])
        self._cameras = camera_nodes(
            chosen_cameras(arguments["cameras"], self.embodiment, arguments["hardware_type"]),
            self.arguments["embodiment"],
            arguments["use_sim_time"] == "true",
        )
        self.nodes = NodeProcesses(log_folder, self.arguments["namespace"])

    def __enter__(self) -> Session:
        prepare_environment(os.environ, over_network=self.arguments["side"] != "all")
        usb_port = serial_port(self.arguments, self.embodiment, Path(self._run_folder.name))
        description = robot_description(self.embodiment, self.arguments["hardware_type"], usb_port)
        specs = graph(self.arguments, description, usb_port, cameras=self._cameras)
        try:
            from smolvla_ros.nodes.bringup import Bringup
            from smolvla_ros.nodes.operator import join_graph
        except ImportError as error:
            raise RosMissing(f"this command needs ROS 2 and the built workspace ({error}): see README") from None
        self.operator = join_graph(
            self.embodiment, self.arguments["namespace"], self.arguments["use_sim_time"] == "true"
        )
        self.operator.listen(DISCOVERY_S)
        if others := self.operator.other_nodes(tuple(spec.name for spec in specs)):
            self.__exit__(None, None, None)
            raise SessionError(
                f"{', '.join(others)} run already in ROS domain {os.environ.get('ROS_DOMAIN_ID', '0')}: "
                "stop them, or set ROS_DOMAIN_ID to another number for this run"
            )
        self._bringup = Bringup(self.operator, [spec.name for spec in specs if spec.managed])
        try:
            for spec in specs:
                self.nodes.start(spec)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def wait_ready(self, say: Callable[[str], None]) -> None:
        """Returns when a task can be given. Raises SessionError with the part that did not come up, or died."""
        told: list[str] = []

        def ready() -> bool:
            if deaths := self.nodes.deaths():
                raise SessionError("; ".join(str(death) for death in deaths))
            if refusal := self._bringup.advance():
                reason = self.nodes.last_words(refusal.node)
                raise SessionError(f"node {refusal.node}: {refusal.transition} failed: {reason}")
            missing = self.operator.missing(self.simulated, not self.led, self.arguments["record"] == "true")
            if missing != told:
                told[:] = missing
                say("waiting for " + ", ".join(missing) if missing else "the graph is up")
            return not missing and self._bringup.done

        if not wait_until(ready, START_TIMEOUT_S, lambda: self.operator.listen(0.1)):
            raise SessionError(
                f"did not come up within {START_TIMEOUT_S:g} s: {', '.join(told)}; logs: {self.nodes.folder}"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.nodes.stop()
        self.operator.leave()
        self._run_folder.cleanup()
