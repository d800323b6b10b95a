"""`smolvla bench network`: the task with the policy on another machine, over links that delay, lose and break.

Robot (simulator, driver, executor) and policy run in network namespaces of their own, joined by a Link. Compressed
images cross it, too: they are taken as the policy takes them, and counted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from smolvla_ros.network.link import Conditions, Link
from smolvla_ros.network.machines import POLICY, ROBOT, Machines, in_own_namespace, two_machines
from smolvla_ros.runtime.processes import prepare_environment

SEED = 7
INSTRUCTION = "put the red cube in the blue box"
RUNNING = 1  # ExecutorState.MODE_RUNNING
STOP_TIMEOUT_S, TASK_TIMEOUT_S, START_TIMEOUT_S = 20.0, 60.0, 90.0
# into the task: the arm moves, and with what is queued then it does not finish
BREAK_AFTER_S = 0.8


@dataclass(frozen=True)
class Case:
    """The link's conditions, and for how long it breaks soon after the task has begun.

    policy: the scripted one does the task; a checkpoint with random weights does not, but needs the images.
    """

    name: str
    conditions: Conditions
    outage_s: float = 0.0
    policy: str = "scripted"


class LinkRunFailed(RuntimeError):
    """One of the sides ended early. The message holds its last words."""


RANDOM, RANDOM_TASK_S = "tiny, random", 15.0
CASES = (
    Case("as it is", Conditions()),
    Case("50 ms", Conditions(delay_s=0.05)),
    Case("200 ms", Conditions(delay_s=0.2)),
    Case("5 % loss", Conditions(loss=0.05)),
    Case("50 ms, 5 % loss", Conditions(delay_s=0.05, loss=0.05)),
    Case("outage of 10 s", Conditions(), outage_s=10.0),
    Case("50 ms, 5 % loss, images", Conditions(delay_s=0.05, loss=0.05), policy=RANDOM),
    Case("200 ms, 5 % loss, images", Conditions(delay_s=0.2, loss=0.05), policy=RANDOM),
)


def rows(_peer: Path | None) -> list[dict[str, Any]]:
    """One row a case. Raises NoNamespaces where this host cannot, LinkRunFailed where a side ended early."""
    before = in_own_namespace()
    with tempfile.TemporaryDirectory(prefix="smolvla_network_") as folder:
        file = Path(folder) / "rows.json"
        done = subprocess.run([*before, sys.executable, "-m", __name__, str(file)], check=False, stderr=subprocess.PIPE)
        if done.returncode:
            raise LinkRunFailed(done.stderr.decode(errors="replace").strip().splitlines()[-1])
        return json.loads(file.read_text())


def run(case: Case) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="smolvla_network_") as folder, two_machines() as machines:
        link = Link(machines.wires, case.conditions, SEED)
        try:
            return _run(case, machines, link, Path(folder))
        finally:
            link.close()


def _run(case: Case, machines: Machines, link: Link, folder: Path) -> dict[str, Any]:
    environment = {**os.environ}
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        environment.pop(name, None)
    prepare_environment(environment, over_network=True)
    children: list[subprocess.Popen[Any]] = []

    def start(machine: int, module: str, *words: str, **popen: Any) -> subprocess.Popen[Any]:
        command = [sys.executable, "-m", module, *words]
        children.append(machines.start(machine, command, environment, **popen))
        return children[-1]

    try:
        with (folder / "log").open("w") as log:
            quiet = {"stdout": log, "stderr": log}
            limit_s, policy = TASK_TIMEOUT_S, case.policy
            if policy == RANDOM:
                limit_s, policy = RANDOM_TASK_S, str(folder / "checkpoint")
                start(ROBOT, "smolvla_ros.cli", "checkpoint", "init", policy, **quiet).wait()
            output = str(folder / "policy")
            start(POLICY, "smolvla_ros.cli", "run", "side:=policy", f"policy:={policy}", "--output", output, **quiet)
            witness = "smolvla_ros.nodes.network_witness"
            start(POLICY, witness, "images", str(folder / "images.json"), **quiet)
            start(ROBOT, witness, "states", str(folder / "states.json"), **quiet)
            words = ["side:=robot", f"seed:={SEED}", f"instruction:={INSTRUCTION}", "--no-video"]
            words += [
                "--output",
                str(folder / "robot"),
                "--reports",
                str(folder),
                "--time-limit",
                f"{limit_s:g}",
            ]
            robot = start(
                ROBOT, "smolvla_ros.cli", "run", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            outage = _watch(robot, link, case.outage_s)
            _stop(children)
    finally:
        _stop(children)
    return _row(case, link, outage, folder)


def _watch(robot: subprocess.Popen[str], link: Link, outage_s: float) -> tuple[float, float] | None:
    """Reads what the robot's side says until it ends, and breaks the link on the way; when that began and ended."""
    overdue = threading.Timer(START_TIMEOUT_S + TASK_TIMEOUT_S + STOP_TIMEOUT_S, robot.kill)
    overdue.start()
    told, outage = [], None
    try:
        assert robot.stdout is not None
        for line in robot.stdout:
            told.append(line)
            if outage_s and outage is None and line.startswith("task: "):
                time.sleep(BREAK_AFTER_S)
                began_s, whole = time.monotonic(), link.conditions
                link.conditions = replace(whole, broken=True)
                time.sleep(outage_s)
                link.conditions, outage = whole, (began_s, time.monotonic())
        if robot.wait() != 0:
            raise LinkRunFailed(f"the robot's side ended with code {robot.returncode}: {' / '.join(told[-3:])}")
    finally:
        overdue.cancel()
    return outage


def _row(case: Case, link: Link, outage: tuple[float, float] | None, folder: Path) -> dict[str, Any]:
    done = json.loads((folder / "demo.json").read_text())["rows"][0]
    states = json.loads((folder / "states.json").read_text())["states"]
    images = json.loads((folder / "images.json").read_text())
    began_s, end_s = states[0][0], states[-1][0]
    last = states[-1]
    return {
        "link": case.name,
        "policy": case.policy,
        "delay_s": case.conditions.delay_s,
        "loss": case.conditions.loss,
        "outage_s": case.outage_s,
        **{key: done[key] for key in ("task_done", "duration_s", "chunks", "starved_s")},
        **{key: done[key] for key in ("chunk_latency_p50_s", "chunk_latency_p99_s")},
        **_pause(states, outage),
        "requests_timed_out": max(state[5] for state in states),
        "chunks_refused": max(state[6] for state in states),
        "clock_offset_s": round(last[2], 4),
        "clock_offset_error_s": round(last[3], 4),
        **_image_figures(images, began_s, end_s),
        "frames_lost": sum(line.lost for line in link.lines)
        / max(1, sum(line.passed + line.lost for line in link.lines)),
        "mbit_per_s": round(sum(line.bytes for line in link.lines) * 8e-6 / (end_s - began_s), 1),
    }


def _pause(states: list[list[Any]], outage: tuple[float, float] | None) -> Mapping[str, float | None]:
    """How long after the outage began the arm held, and how long after its end it went on, s."""
    if outage is None:
        return {"held_after_s": None, "resumed_after_s": None}
    held = [state[0] - outage[0] for state in states if outage[0] < state[0] < outage[1] and state[1] != RUNNING]
    resumed = [state[0] - outage[1] for state in states if state[0] > outage[1] and state[1] == RUNNING]
    return {
        "held_after_s": round(held[0], 2) if held else None,
        "resumed_after_s": round(resumed[0], 2) if resumed else None,
    }


def _image_figures(images: dict[str, list[list[float]]], began_s: float, end_s: float) -> dict[str, float | None]:
    """The slowest camera's, while the executor told its state."""
    rates, pauses, sizes = [], [], []
    for frames in images.values():
        times = [time_s for time_s, _ in frames if began_s < time_s < end_s]
        rates.append(len(times) / (end_s - began_s))
        pauses += [later - earlier for earlier, later in pairwise(times)]
        sizes += [size for _, size in frames]
    return {
        "images_hz": round(min(rates), 1) if len(rates) > 1 else 0.0,
        "image_pause_max_s": round(max(pauses), 2) if pauses else None,
        "image_mean_bytes": round(sum(sizes) / len(sizes)) if sizes else None,
    }


def _stop(children: list[subprocess.Popen[Any]]) -> None:
    for child in reversed(children):
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    for child in children:
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps([run(case) for case in CASES if case.name in (sys.argv[2:] or case.name)]))
