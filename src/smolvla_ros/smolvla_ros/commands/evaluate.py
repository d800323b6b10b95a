"""`smolvla eval`: many seeded scenes through the whole graph in real time, judged by the simulator."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from smolvla_ros.commands.run import NodeDied, give_task, say
from smolvla_ros.runtime.graph import parse_arguments
from smolvla_ros.runtime.report import table, task_row, write_report
from smolvla_ros.runtime.session import Session

Z_95 = 1.959964


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("eval", help="success over many unseen scenes", description=__doc__)
    parser.add_argument("arguments", nargs="*", metavar="name:=value", help="launch arguments, as for smolvla run")
    parser.add_argument("--episodes", type=int, default=100, help="how many scenes")
    parser.add_argument("--first-seed", type=int, default=1000, help="seed of the first scene; the next has the next")
    parser.add_argument("--time-limit", type=float, default=20.0, metavar="S", help="for each task, in seconds")
    parser.add_argument("--output", type=Path, default=Path("out/eval"), help="folder for logs")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="folder for eval.json")
    parser.set_defaults(command=evaluate)


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
    rows: list[dict[str, Any]] = []
    with Session(arguments, options.output / "logs") as session:
        session.wait_ready(say)
        for seed in range(options.first_seed, options.first_seed + options.episodes):
            instructions = session.operator.reset_scene(seed)
            instruction = arguments["instruction"] or instructions[seed % len(instructions)]
            recording = session.operator.new_recording()
            session.operator.listen(0.5)
            try:
                outcome = give_task(session, instruction, options.time_limit)
            except NodeDied as death:
                say(f"{death}; {len(rows)} of {options.episodes} episodes were done")
                return 1
            rows.append(task_row(outcome, recording) | {"seed": seed})
            done = sum(row["task_done"] for row in rows)
            word = "done" if outcome.task_done else f"NOT done ({outcome.reason})"
            say(f"seed {seed}: {instruction}: {word}; {done}/{len(rows)}")
    summary = summarise(rows)
    say("\n" + table([summary]))
    say(f"\nreport  {write_report(options.reports, 'eval', [summary], options.first_seed)}")
    say(f"        {write_report(options.reports, 'eval_episodes', rows, options.first_seed)}")
    return 0


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of eval.json that sums up the episodes."""
    successes = sum(row["task_done"] for row in rows)
    low, high = wilson_interval(successes, len(rows))
    recorded = sum(row["recorded_s"] for row in rows)
    total = sum(row["duration_s"] for row in rows)
    return {
        "checkpoint": rows[0]["policy"],
        "task": "pick_and_place",
        "mode": "async",
        "episodes": len(rows),
        "successes": successes,
        "ci_low": round(low, 4),
        "ci_high": round(high, 4),
        "chunks_per_s": round(sum(row["chunks"] for row in rows) / recorded, 3) if recorded else 0.0,
        "mean_time_s": round(total / len(rows), 3),
        "starved_s": round(sum(row["starved_s"] for row in rows), 3),
    }
