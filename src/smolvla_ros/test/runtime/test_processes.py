from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
from smolvla_ros.runtime.graph import NodeSpec
from smolvla_ros.runtime.processes import NodeProcesses, NodeStartError, find_executable, wait_until


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix whose package `pack` has three programs: one that waits, one that fails, one that ignores SIGINT."""
    programs = {
        "waits": "exec sleep 60",
        "fails": 'echo "[INFO] [1.0] [n]: fine"; echo "[FATAL] [1.0] [n]: no such bus"; exit 2',
        "deaf": "trap '' INT; while :; do sleep 0.1; done",
    }
    folder = tmp_path / "lib" / "pack"
    folder.mkdir(parents=True)
    for name, body in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    return tmp_path


def test_a_missing_executable_is_told_with_the_places(workspace: Path) -> None:
    with pytest.raises(NodeStartError, match=f"no executable nothing of package pack; looked in {workspace}"):
        find_executable("pack", "nothing")


def test_a_killed_node_is_reported_once_by_its_signal(workspace: Path) -> None:
    nodes = NodeProcesses(workspace / "logs")
    pid = nodes.start(NodeSpec("pack", "waits", "arm", {"x": 1}))
    assert nodes.deaths() == []
    os.kill(pid, signal.SIGKILL)
    assert wait_until(nodes.some_death_untold, 5.0, lambda: None)
    deaths = nodes.deaths()
    assert str(deaths[0]) == "node arm was killed by SIGKILL"
    assert not nodes.some_death_untold()
    assert nodes.deaths() == []
    nodes.stop()


def test_a_failed_node_is_reported_with_its_fatal_line(workspace: Path) -> None:
    nodes = NodeProcesses(workspace / "logs")
    nodes.start(NodeSpec("pack", "fails", "arm", {}))
    deaths = []
    assert wait_until(lambda: bool(deaths), 5.0, lambda: deaths.extend(nodes.deaths()))
    assert str(deaths[0]) == "node arm ended with code 2: no such bus"


def test_stop_ends_every_node_even_a_deaf_one(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolvla_ros.runtime.processes.STOP_TIMEOUT_S", 0.3)
    nodes = NodeProcesses(workspace / "logs")
    for program in ("waits", "deaf"):
        nodes.start(NodeSpec("pack", program, program, {}))
    nodes.stop()
    assert nodes.pids() == {}
    assert nodes.deaths() == []
