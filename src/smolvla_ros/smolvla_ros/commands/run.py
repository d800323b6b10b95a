"""`smolvla run`: the plain host's `ros2 launch`. With an instruction it also gives the task, reports and ends."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from smolvla_ros.commands.leading import record_episodes
from smolvla_ros.runtime.errors import OperatorError
from smolvla_ros.runtime.graph import ARGUMENTS, graph, parse_arguments
from smolvla_ros.runtime.interrupt import told_to_stop
from smolvla_ros.runtime.prefixed_files import with_prefix
from smolvla_ros.runtime.processes import NodeDeath, NodeProcesses, prepare_environment
from smolvla_ros.runtime.progress import ProgressLine
from smolvla_ros.runtime.recording import Recording, TaskOutcome
from smolvla_ros.runtime.report import record, task_row, write_report
from smolvla_ros.runtime.session import Session

SETTLE_S, HOLD_CHECK_S, HOLD_CHECKS = 1.0, 2.0, 4
HOLD_TOLERANCE_RAD = 0.03


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="start the graph, give it an instruction, report",
        description=__doc__,
        epilog="launch arguments (name:=value), the same as launch/so100.launch.py's:\n"
        + "\n".join(
            f"  {a.name}:={a.default or '...'}  {a.description}" + (f" ({'|'.join(a.choices)})" if a.choices else "")
            for a in ARGUMENTS
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs="*", metavar="name:=value", help="launch arguments, see below")
    parser.add_argument("--output", type=Path, default=Path("out/run"), help="folder for report, plot, video and logs")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="folder for demo.json")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="for the task, in seconds")
    parser.add_argument("--no-video", action="store_true", help="leave demo.mp4 out")
    parser.set_defaults(command=run)


class NodeDied(RuntimeError):
    """A node ended while the task ran."""

    def __init__(self, deaths: list[NodeDeath]) -> None:
        super().__init__("; ".join(str(death) for death in deaths))
        self.deaths = deaths


def run(options: argparse.Namespace) -> int:
    arguments = parse_arguments(options.arguments)
    if arguments["side"] == "policy":
        return serve(options, arguments)
    with Session(arguments, options.output / "logs") as session:
        master = f"leader at {arguments['leader_port']}" if session.led else f"policy {arguments['policy']}"
        say(f"starting {arguments['hardware_type']}, {master}; logs in {options.output / 'logs'}")
        say("processes: " + ", ".join(f"{name} {pid}" for name, pid in session.nodes.pids().items()))
        session.wait_ready(say)
        instruction = arguments["instruction"]
        if session.led and arguments["record"] == "true":
            return record_episodes(session, say)
        if session.led or not instruction:
            return stay_up(session)
        recording = session.operator.new_recording()
        say(f"task: {instruction}")
        try:
            outcome = give_task(session, instruction, options.time_limit)
            kept = arguments["record"] != "true" or outcome.judged is None or label_episode(session, outcome)
        except NodeDied as death:
            return hold_after(session, death, recording)
    return report(options, outcome, recording, session) or int(not kept)


def serve(options: argparse.Namespace, arguments: dict[str, str]) -> int:
    """The policy alone, for robots elsewhere, until Ctrl-C or its end."""
    prepare_environment(os.environ, over_network=True)
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    arguments["embodiment"] = with_prefix(arguments["embodiment"], arguments["prefix"], folder)
    (policy,) = graph(arguments, robot_description="", usb_port="")
    nodes = NodeProcesses(options.output / "logs", arguments["namespace"])
    nodes.start(replace(policy, parameters={**policy.parameters, "autostart": True}))
    say(f"policy {arguments['policy']} serves; log: {nodes.log_file(policy.name)}; Ctrl-C ends it")
    try:
        while not (deaths := nodes.deaths()):
            time.sleep(0.2)
    except KeyboardInterrupt:
        nodes.stop()
        return 0
    say(str(deaths[0]))
    return 1


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def deaths_told(session: Session) -> Iterator[None]:
    """Raises NodeDied where a node has ended meanwhile, also in the place of what failed because of that.

    No answer is waited for once one has.
    """
    session.operator.in_vain = session.nodes.some_death_untold
    try:
        yield
    except OperatorError:
        if deaths := session.nodes.deaths():
            raise NodeDied(deaths) from None
        raise
    finally:
        session.operator.in_vain = lambda: False
    if deaths := session.nodes.deaths():
        raise NodeDied(deaths)


def give_task(session: Session, instruction: str, time_limit_s: float) -> TaskOutcome:
    """Runs one task to its end, showing progress. Raises NodeDied."""
    from smolvla_ros.nodes.operator import mode_name

    line = ProgressLine(sys.stdout, mode_name)

    def on_progress(state: object) -> bool:
        if deaths := session.nodes.deaths():
            raise NodeDied(deaths)
        line.show(state)
        return True

    try:
        with deaths_told(session):
            return session.operator.run_task(instruction, time_limit_s, session.simulated, on_progress)
    finally:
        line.close()


def label_episode(session: Session, outcome: TaskOutcome) -> bool:
    """The judgement into the episode's bag; whether there is one."""
    session.operator.listen(SETTLE_S)  # the recorder closes the bag
    try:
        say(f"recorded {session.operator.label_episode(bool(outcome.judged), outcome.message)}")
    except OperatorError:
        say(f"NOT recorded: {session.nodes.last_words('recorder')}")
        return False
    return True


def hold_after(session: Session, death: NodeDied, recording: Recording) -> int:
    """After a node's death: does the arm hold? A real arm is held until Ctrl-C: stopping the driver lets it go."""
    queued_s = recording.queue[-1].queue_time_s if recording.queue else 0.0
    say(f"{death}. The task is over; the arm does what is queued ({queued_s:.1f} s), then holds.")
    session.operator.listen(queued_s + SETTLE_S)
    motion = float("nan")
    for _ in range(HOLD_CHECKS):  # on a busy machine the queue's last chunk is told, and executed, later
        since = session.operator.now_s()
        session.operator.listen(HOLD_CHECK_S)
        motion = recording.motion_since(since)
        if not motion >= HOLD_TOLERANCE_RAD:
            break
    if motion != motion:
        say("no joint states come any more, so this cannot be checked; servos keep their last goal")
    else:
        verdict = "it holds" if motion < HOLD_TOLERANCE_RAD else "IT STILL MOVES: use the emergency stop"
        say(f"largest motion of a joint in {HOLD_CHECK_S:g} s: {motion:.4f} rad: {verdict}")
    if not session.simulated:
        say("the driver keeps the arm up; Ctrl-C lets it go")
        stay_up(session)
    return 1


def stay_up(session: Session) -> int:
    """Keeps the graph running until Ctrl-C, telling of nodes that end."""
    say("running; Ctrl-C ends it")
    with told_to_stop() as told:
        while session.nodes.pids():
            session.operator.listen(0.2)
            if told.is_set():
                say("stopping")
                return 0
            for death in session.nodes.deaths():
                say(f"{death}. The rest goes on; the arm holds what it was told last.")
    say("no node is left")
    return 1


def report(options: argparse.Namespace, outcome: TaskOutcome, recording: Recording, session: Session) -> int:
    """Prints and writes the figures, the plot and the video. 0 where the task ran to a regular end."""
    row = task_row(outcome, recording)
    seed = int(session.arguments["seed"])
    say(f"\n{record(row)}\n")
    if outcome.message:
        say(f"  {outcome.message}")
    say(f"report  {write_report(options.reports, 'demo', [row], seed)}")
    from smolvla_ros.runtime.plot import plot_task

    if len(recording.joint_stamps_s) > 1:
        plot_task(options.output / "demo.png", recording, outcome)
        say(f"plot    {options.output / 'demo.png'}")
    if session.simulated and not options.no_video and recording.object_stamps_s:
        from smolvla_ros.runtime.video import task_video

        started = time.monotonic()
        task_video(options.output / "demo.mp4", session.embodiment, recording, outcome.instruction)
        say(f"video   {options.output / 'demo.mp4'} (drawn in {time.monotonic() - started:.0f} s)")
    return 0 if outcome.reason in ("finished", "time limit") else 1
