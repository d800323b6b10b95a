"""The whole graph as an operator runs it: real processes, real middleware, the simulator's own judgement."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from smolvla_ros.commands.evaluate import wilson_interval
from smolvla_ros.commands.run import NodeDied, deaths_told
from smolvla_ros.runtime.errors import OperatorError

from so100_hardware import Bus

INSTRUCTION = "instruction:=put the red cube in the blue box"


class SmolvlaRun:
    """`smolvla run`, or eval, as a child in a ROS domain of its own; its output is read line by line."""

    def __init__(self, folder: Path, domain: int, *words: str, command: str = "run") -> None:
        self.folder = folder
        self.lines: list[str] = []
        options = ["--output", str(folder / "out"), "--reports", str(folder / "reports")]
        if command == "run":
            options.append("--no-video")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "smolvla_ros.cli", command, *options, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def wait_for(self, pattern: str, timeout_s: float = 60.0) -> re.Match[str]:
        """The first match of the pattern in the output, past or to come."""
        with self._news:
            found = self._news.wait_for(lambda: re.search(pattern, self.output), timeout_s)
        assert found, f"no '{pattern}' within {timeout_s} s in:\n{self.output}"
        return found

    def finish(self, timeout_s: float = 90.0) -> int:
        code = self.child.wait(timeout_s)
        self._reader.join(10)
        return code

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self._reader.join(10)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def start(tmp_path: Path, ros_domain: int) -> Iterator:
    runs: list[SmolvlaRun] = []

    def start_run(*words: str, command: str = "run") -> SmolvlaRun:
        runs.append(SmolvlaRun(tmp_path, ros_domain, *words, command=command))
        return runs[-1]

    yield start_run
    for run in runs:
        run.stop()


def test_the_scripted_policy_does_the_task_and_the_report_says_so(start, tmp_path: Path) -> None:
    run = start(INSTRUCTION, "seed:=7")
    assert run.finish() == 0, run.output
    report = json.loads((tmp_path / "reports" / "demo.json").read_text())
    (row,) = report["rows"]
    assert row["task_done"] is True, run.output
    assert row["policy"] == "scripted"
    assert row["chunks"] >= 3
    assert (tmp_path / "out" / "demo.png").stat().st_size > 20_000
    assert not [line for line in run.lines if "Traceback" in line]


def test_the_task_is_done_by_the_simulators_clock_and_under_a_prefix_too(start, tmp_path: Path) -> None:
    run = start(INSTRUCTION, "seed:=7", "use_sim_time:=true", "prefix:=left_")
    assert run.finish() == 0, run.output
    (row,) = json.loads((tmp_path / "reports" / "demo.json").read_text())["rows"]
    assert row["task_done"] is True, run.output


def kill(run: SmolvlaRun, victim: str) -> None:
    """SIGKILL to a node in the middle of a task."""
    pid = int(run.wait_for(rf"{victim} (\d+)")[1])
    run.wait_for(r"running +queue")
    os.kill(pid, signal.SIGKILL)
    run.wait_for(rf"node {victim} was killed by SIGKILL")


@pytest.mark.parametrize("victim", ["policy", "executor"])
def test_a_killed_node_is_told_and_the_arm_holds(start, victim: str) -> None:
    run = start(INSTRUCTION, "seed:=8")
    kill(run, victim)
    assert run.finish() == 1
    assert "it holds" in run.output


def test_a_killed_driver_is_told_and_the_servos_hold_with_torque(start, tmp_path: Path) -> None:
    run = start(INSTRUCTION, "seed:=8")
    kill(run, "so100_driver")
    port = yaml.safe_load((tmp_path / "out/logs/simulator.yaml").read_text())["/**"]["ros__parameters"]["usb_port"]
    ids = [1, 2, 3, 4, 5, 6]
    with Bus(port) as bus:
        deadline = time.monotonic() + 20.0  # the servos reach the last goal, later on a busy machine
        while any(bus.sync_read(ids, "moving").values()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        before = bus.sync_read(ids, "present_position")
        assert set(bus.sync_read(ids, "torque_enable").values()) == {1}
        time.sleep(0.5)
        after = bus.sync_read(ids, "present_position")
    assert max(abs(after[i] - before[i]) for i in ids) <= 5
    assert run.finish() == 1
    assert "no joint states come any more" in run.output


def test_a_killed_simulator_is_told(start) -> None:
    run = start(INSTRUCTION, "seed:=8")
    kill(run, "simulator")
    assert run.finish() == 1
    assert "no joint states come any more" in run.output


def test_a_simulator_that_dies_between_two_tasks_is_told_and_is_no_failure_of_the_policy(start) -> None:
    run = start("policy:=scripted", "--episodes", "3", command="eval")
    run.wait_for("seed 1000: .*: done; 1/1")
    children = Path(f"/proc/{run.child.pid}/task/{run.child.pid}/children").read_text().split()
    (simulator,) = [pid for pid in children if "simulator" in Path(f"/proc/{pid}/comm").read_text()]
    os.kill(int(simulator), signal.SIGSEGV)
    assert run.finish() == 1
    assert "node simulator was killed by SIGSEGV; 1 of 3 episodes were done" in run.output
    assert "NOT done" not in run.output
    assert "Fatal Python error: Segmentation fault" in (run.folder / "out/logs/simulator.log").read_text()


def test_no_answer_is_waited_for_once_a_node_is_dead_and_a_call_that_fails_then_is_its_death() -> None:
    dead: list[str] = []
    nodes = SimpleNamespace(some_death_untold=lambda: bool(dead), deaths=lambda: dead)
    session = SimpleNamespace(operator=SimpleNamespace(), nodes=nodes)

    def call() -> None:
        with deaths_told(session):
            assert not session.operator.in_vain()
            dead.append("node simulator was killed")
            assert session.operator.in_vain()
            raise OperatorError("no service /simulator/reset")

    with pytest.raises(NodeDied, match="simulator was killed"):
        call()
    assert not session.operator.in_vain()  # the rest may go on


def test_an_instruction_that_the_policy_does_not_know_is_refused_with_what_it_knows(start) -> None:
    run = start("instruction:=fold the towel")
    assert run.finish() == 1
    assert "refused" in run.output
    assert "red" in run.output, run.output


def test_a_path_that_is_no_bus_ends_with_one_readable_reason(start) -> None:
    run = start("hardware_type:=real", "usb_port:=/dev/null", "cameras:=none", INSTRUCTION)
    assert run.finish() == 2
    assert "node so100_driver ended with code 2" in run.output
    assert "/dev/null" in run.output


def test_a_policy_that_is_not_there_ends_with_one_readable_reason(start) -> None:
    run = start("policy:=no/such/folder", INSTRUCTION)
    assert run.finish() == 2
    assert "node policy: configure failed: " in run.output
    assert "no/such/folder" in run.output


def test_a_second_graph_in_the_same_domain_is_refused(start) -> None:
    first = start("seed:=3")
    first.wait_for("running; Ctrl-C ends it")
    second = start("seed:=4")
    assert second.finish() == 2
    assert "run already in ROS domain" in second.output
    assert first.child.poll() is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hardware_type:=gazebo"], "hardware_type: expected one of"),
        (["hardware_type:=mock_components"], "needs a ROS host"),
        (["embodiment:=/nowhere.yaml"], "/nowhere.yaml"),
        (["hardware_type:=real", "cameras:=none", "usb_port:=/dev/nowhere"], "usb_port: no such device /dev/nowhere"),
        (["hardware_type:=virtual", "cameras:=top=/dev/nowhere"], "camera top: no such device /dev/nowhere"),
        (["leader_port:=/dev/nowhere"], "leader_port: no such device /dev/nowhere"),
    ],
)
def test_a_wrong_argument_ends_before_anything_starts(start, words: list[str], told: str) -> None:
    run = start(*words)
    assert run.finish(30) == 2
    assert told in run.output
    assert "Traceback" not in run.output


def test_wilson_interval_of_98_in_100() -> None:
    low, high = wilson_interval(98, 100)
    assert (round(low, 3), round(high, 3)) == (0.930, 0.994)
    assert wilson_interval(0, 0) == (0.0, 1.0)
