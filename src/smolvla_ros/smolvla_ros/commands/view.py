"""`smolvla view`: a running graph in the Rerun viewer, or into a file that it opens: cameras, joint curves, the coming
motion, the instruction. It only listens; start and stop it at will.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("view", help="a running graph in the Rerun viewer", description=__doc__)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write a .rrd file instead of opening the viewer")
    parser.add_argument("--duration", type=float, default=0.0, metavar="S", help="end by itself; 0: on Ctrl-C")
    parser.add_argument("--namespace", default="", help="of the robot's nodes")
    parser.add_argument("--embodiment", default="", metavar="FILE", help="the robot; without: config/so100.yaml")
    parser.set_defaults(command=view)


def view(options: argparse.Namespace) -> int:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.runtime.errors import RosMissing
    from smolvla_ros.runtime.processes import prepare_environment
    from smolvla_ros.runtime.rerun_log import RerunLog

    embodiment = load_embodiment(options.embodiment)
    prepare_environment(os.environ)
    try:
        from smolvla_ros.nodes.live_view import show
    except ImportError as error:
        raise RosMissing(f"this command needs ROS 2 and the built workspace ({error}): see README") from None
    log = RerunLog(embodiment.joint_names, [camera.name for camera in embodiment.cameras], options.save)
    try:
        show(embodiment, log, options.namespace, options.duration, lambda text: print(text, flush=True))
    finally:
        log.close()
    if options.save is not None:
        print(f"rerun   {options.save}: rerun {options.save} opens it")
    return 0
