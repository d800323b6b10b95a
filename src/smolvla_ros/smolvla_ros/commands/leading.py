"""Episodes of a leader arm: `smolvla run leader_port:=... record:=true` is told at the terminal when they begin."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable

from smolvla_ros.runtime.errors import OperatorError
from smolvla_ros.runtime.interrupt import told_to_stop
from smolvla_ros.runtime.session import Session

KEYS = "Enter begins an episode and ends it, d and Enter removes it or the one before; Ctrl-C ends all"


def record_episodes(session: Session, say: Callable[[str], None]) -> int:
    """Until Ctrl-C, the end of the input or of the last node. A node that ends is told; the follower then holds."""
    say(KEYS)
    recording = False
    with told_to_stop() as told:
        while not told.is_set() and session.nodes.pids():
            session.operator.listen(0.1)
            for death in session.nodes.deaths():
                say(f"{death}. The rest goes on; the arm holds what it was told last.")
            if not select.select([sys.stdin], [], [], 0.0)[0]:
                continue
            line = sys.stdin.readline()
            if not line:
                break
            discards = line.strip().lower() == "d"
            word = "discard" if discards else "stop" if recording else "start"
            try:
                say(session.operator.tell_recorder(word))
                recording = word == "start"
            except OperatorError as refused:
                say(str(refused))
                recording = recording and word != "stop"  # the recorder ended it by itself: a topic stayed away
        if told.is_set():
            say("stopping")
    return 0
