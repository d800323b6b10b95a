"""Drawing comes last: cameras without a GPU take a whole core, and everything else in the graph is short and urgent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

DRAWING_NICENESS = 10
# The physics is in the same group and must keep real time beside a policy that computes on all cores.
SIMULATOR_NICENESS = 5
AUTOGROUP = Path("/proc/self/autogroup")


def step_back() -> None:
    """The calling thread, and the renderer's that it makes from now on, let other threads go first.

    Linux weighs niceness inside of a session only where it groups processes by session (autogroup). A simulator that
    leads a session, as under `smolvla run`, is a group of its own, so the group steps back as well. In a session that
    it shares, as under `ros2 launch`, the thread's niceness is enough, and the group is not the simulator's to change.
    """
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(DRAWING_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
    if os.getsid(0) == os.getpid() and AUTOGROUP.exists():
        try:
            AUTOGROUP.write_text(str(SIMULATOR_NICENESS))
        except OSError:  # a host may forbid it; drawing is then only as polite as its thread
            return
