"""Nodes as child processes: started with their parameters, watched, stopped in the reverse order.

A node that dies is reported once, with what ended it; whether that ends the run is the caller's choice, since the rest
of the graph keeps the arm holding.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from smolvla_ros.runtime.graph import FASTDDS_FILE, FASTDDS_NETWORK_FILE
from smolvla_ros.runtime.node_spec import NodeSpec

STOP_TIMEOUT_S = 8.0
PR_SET_PDEATHSIG = 1


class NodeStartError(RuntimeError):
    """A node's executable is not there."""


@dataclass(frozen=True)
class NodeDeath:
    """A node that ended by itself. `last_words` is the end of its log."""

    name: str
    returncode: int
    last_words: str

    def __str__(self) -> str:
        if self.returncode < 0:
            how = f"was killed by {signal.Signals(-self.returncode).name}"
        else:
            how = f"ended with code {self.returncode}"
        return f"node {self.name} {how}" + (f": {self.last_words}" if self.returncode >= 0 and self.last_words else "")


class NodeProcesses:
    """The running nodes. `folder` gets a parameter file and a log for each."""

    def __init__(self, folder: Path, namespace: str = "") -> None:
        self.folder, self.namespace = folder, namespace
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._reported: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, node: NodeSpec) -> int:
        """Starts one node; returns its process id. Raises NodeStartError."""
        executable = find_executable(node.package, node.executable)
        command = [str(executable), *node.arguments]
        if not node.arguments:
            parameters = self.folder / f"{node.name}.yaml"
            parameters.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(node.parameters)}}))
            command += ["--ros-args", "-r", f"__node:={node.name}", "--params-file", str(parameters)]
            if namespace := "/".join(part for part in (self.namespace.strip("/"), node.namespace) if part):
                command += ["-r", f"__ns:=/{namespace}"]
            for here, there in node.remappings:
                command += ["-r", f"{here}:={there}"]
        with self.log_file(node.name).open("wb") as log:
            # a session of its own: Ctrl-C reaches this program alone, which then stops the nodes in order
            child = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_stop_with_parent,
            )
        self._children[node.name] = child
        return child.pid

    def log_file(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def pids(self) -> dict[str, int]:
        """Process ids of the nodes that are alive."""
        return {name: child.pid for name, child in self._children.items() if child.poll() is None}

    def some_death_untold(self) -> bool:
        """Whether `deaths` would tell of one."""
        return any(child.poll() is not None for name, child in self._children.items() if name not in self._reported)

    def deaths(self) -> list[NodeDeath]:
        """Nodes that ended since the last call."""
        news = []
        for name, child in self._children.items():
            returncode = child.poll()
            if returncode is not None and name not in self._reported:
                self._reported.add(name)
                news.append(NodeDeath(name, returncode, _last_words(self.log_file(name))))
        return news

    def last_words(self, name: str) -> str:
        """The end of a node's log: the last error in it, else its last line."""
        return _last_words(self.log_file(name))

    def stop(self) -> None:
        """SIGINT to each, last started first; SIGKILL to what has not ended in time."""
        for name in reversed(self._children):
            child = self._children[name]
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                if not _ended(child, STOP_TIMEOUT_S):
                    child.kill()
                    child.wait()
        self._reported.update(self._children)


def find_executable(package: str, executable: str) -> Path:
    """Where `ros2 run` would find it. Raises NodeStartError."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in prefixes:
        path = prefix / "lib" / package / executable
        if path.exists():
            return path
    places = ", ".join(str(prefix) for prefix in prefixes) or "nowhere: AMENT_PREFIX_PATH is empty"
    raise NodeStartError(
        f"no executable {executable} of package {package}; looked in {places}; build the workspace first"
    )


def prepare_environment(environment: MutableMapping[str, str], over_network: bool = False) -> None:
    """Settings of the middleware for this process and its children: room for images, discovery on this host.

    over_network: the other side is another machine; discovery reaches it, and what is lost on the way is soon repeated.
    """
    profiles = FASTDDS_NETWORK_FILE if over_network else FASTDDS_FILE
    environment.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(profiles))
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET" if over_network else "LOCALHOST")
    environment.setdefault("RCUTILS_COLORIZED_OUTPUT", "0")


def wait_until(condition: Callable[[], bool], timeout_s: float, meanwhile: Callable[[], None]) -> bool:
    """Runs `meanwhile` until the condition holds; False where it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        meanwhile()
    return True


def _stop_with_parent() -> None:
    """Linux sends a child SIGINT when this program is killed, so that no node is left behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _ended(child: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_words(log: Path) -> str:
    """The last line that a node wrote as FATAL or ERROR, else its last line."""
    lines: Iterable[str] = log.read_text(errors="replace").splitlines() if log.exists() else []
    lines = [line.strip() for line in lines if line.strip()]
    told = [line for line in lines if "[FATAL]" in line or "[ERROR]" in line]
    last = (told or list(lines) or [""])[-1]
    return last.split("]: ", 1)[-1]
