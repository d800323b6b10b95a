"""In processes of their own, whose threads sleep: nothing else on the host is kept from running."""

from __future__ import annotations

import json
import subprocess
import sys

TRY = """
import json, os, resource, sys, threading
from so100_hardware.thread_priority import take_priority, urgent
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # whatever pytest itself has by now
over = threading.Event()
def sleeper():
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
def policies():
    threads = [int(thread) for thread in os.listdir("/proc/self/task")]
    return sorted({(os.sched_getscheduler(t), os.sched_getparam(t).sched_priority) for t in threads})
sleeper()
%s
why = take_priority(int(sys.argv[1]))
sleeper()
print(json.dumps([why, policies()]))
over.set()
"""
FORBID = "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); os.getuid() or os.setuid(65534)"
USUAL, FIFO = 0, 1


def tried(priority: int, before: str = "") -> tuple[str, list[list[int]]]:
    command = [sys.executable, "-c", TRY % before, str(priority)]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    why, policies = json.loads(child.stdout)
    return why, policies


def test_all_threads_have_the_priority_and_those_to_come_or_the_operator_is_told_why_not() -> None:
    why, policies = tried(7)
    if why:
        assert "SCHED_FIFO at 7, found one who may at " in why
        assert policies == [[USUAL, 0]]
    else:
        assert policies == [[FIFO, 7]]


def test_where_it_is_forbidden_the_message_says_how_to_permit_it_and_all_goes_on_as_before() -> None:
    why, policies = tried(7, FORBID)
    assert "found one who may at 0 at most (Operation not permitted)" in why
    assert "'@realtime - rtprio 99' to /etc/security/limits.conf" in why
    assert policies == [[USUAL, 0]]


def test_0_leaves_the_scheduler_alone() -> None:
    assert tried(0, FORBID) == ("", [[USUAL, 0]])


URGENTLY = """
with urgent(5) as refused:
    while_urgent = policies()
assert refused or while_urgent == [(0, 0), (1, 5)], while_urgent
assert not refused or while_urgent == [(0, 0)], while_urgent
assert policies() == [(0, 0)], policies()
"""


def test_one_thread_is_urgent_for_a_moment_where_that_is_permitted() -> None:
    assert tried(0, URGENTLY) == ("", [[USUAL, 0]])


def test_where_it_is_forbidden_a_moment_is_as_any_other_and_says_why() -> None:
    assert tried(0, FORBID + URGENTLY + "assert 'found one who may at 0 at most' in refused") == ("", [[USUAL, 0]])
