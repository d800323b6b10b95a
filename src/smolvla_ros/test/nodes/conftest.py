"""Real nodes in processes of their own, and a listener in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from smolvla_ros.runtime.processes import find_executable, prepare_environment

sys.path.insert(0, str(Path(__file__).parent))  # for played_arm, which is no test and no part of the package

WAY_BACK_S = 0.3


class Graph:
    """Starts nodes and waits for what they do. Everything happens in the calling thread."""

    def __init__(self, folder: Path, domain: int) -> None:
        self.folder = folder
        self._environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        prepare_environment(self._environment)
        os.environ.update(
            {key: self._environment[key] for key in self._environment if key.startswith(("FAST", "ROS_"))}
        )
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = Node("test", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._children: dict[str, subprocess.Popen] = {}
        self._clients: dict[str, Any] = {}

    def start(
        self, name: str, package: str = "smolvla_ros", second: bool = False, **parameters: Any
    ) -> subprocess.Popen:
        """Managed nodes start by themselves, unless autostart is False; none runs before the tests of others.

        second: one more of them, under the node name and in this class `<name>_2`.
        """
        if package == "smolvla_ros":
            parameters = {"autostart": True, **parameters}
        if name in ("executor", "so100_driver"):
            parameters = {"thread_priority": 0, **parameters}
        executable = str(find_executable(package, name))
        name += "_2" if second else ""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        command = [executable, "--ros-args", "--params-file", str(file), "-r", f"__node:={name}"]
        log = (self.folder / f"{name}.log").open("w")
        self._children[name] = subprocess.Popen(command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        return self._children[name]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """The first true value of the condition, looked at while messages come in."""
        end = time.monotonic() + timeout_s
        while not (value := condition()):
            logs = "\n".join(f"{name}: {self.log(name)}" for name in self._children)
            assert time.monotonic() < end, f"not within {timeout_s} s; logs:\n{logs}"
            self._executor.spin_once(timeout_sec=0.02)
        return value

    def call(self, service_type: type, name: str, request: Any) -> Any:
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
            self.wait(self._clients[name].service_is_ready)
            # the way there is known, the way back may not be yet: an answer would be lost
            known = time.monotonic() + WAY_BACK_S
            self.wait(lambda: time.monotonic() > known)
        future = self._clients[name].call_async(request)
        self.wait(future.done)
        return future.result()

    def stop(self, name: str, with_signal: signal.Signals = signal.SIGINT) -> int:
        """The exit code."""
        self._children[name].send_signal(with_signal)
        return self._children[name].wait(20)

    def close(self) -> None:
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        for child in self._children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Graph]:
    with tempfile.TemporaryDirectory() as folder:
        graph = Graph(Path(folder), ros_domain)
        yield graph
        graph.close()
