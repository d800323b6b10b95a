"""Real-time priority for a process or a thread, as controller_manager's parameter `thread_priority` has it.

A thread under SCHED_FIFO runs as soon as it has something to do. Under Linux' usual scheduler it waits for its turn: on
a busy computer longer than a bus cycle.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

DRIVER_PRIORITY = 50
"""controller_manager's own."""


def take_priority(priority: int) -> str:
    """Puts all threads of this process under SCHED_FIFO at `priority`, 1 to 99; those made from now on inherit it.

    0 changes nothing. Returns why it could not be, and what to do; "" where all is as asked.
    """
    done: set[str] = set()
    while priority and (threads := set(os.listdir("/proc/self/task")) - done):  # the middleware's may just be coming up
        done |= threads
        for thread in threads:
            try:
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(priority))
            except ProcessLookupError:
                continue  # it has ended
            except OSError as error:
                return _refusal(priority, error)
    return ""


@contextmanager
def urgent(priority: int) -> Iterator[str]:
    """Puts the calling thread alone under SCHED_FIFO at `priority`, for what does not take long; 0 changes nothing.

    Gives why it could not be, and what to do; "" where all is as asked.
    """
    before, why_not = (os.sched_getscheduler(0), os.sched_getparam(0)), ""
    try:
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        why_not = _refusal(priority, error)
    try:
        yield why_not
    finally:
        os.sched_setscheduler(0, *before)


def _refusal(priority: int, error: OSError) -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return (
        f"thread_priority: expected a user who may run threads under SCHED_FIFO at {priority}, found one who may at "
        f"{limit} at most ({error.strerror}): on a busy computer commands may be late. To permit it, add "
        "'@realtime - rtprio 99' to /etc/security/limits.conf and yourself to the group realtime (sudo groupadd "
        "realtime; sudo usermod -a -G realtime $USER), and log in again; or set thread_priority to 0"
    )
