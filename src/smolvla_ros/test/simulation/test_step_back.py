from __future__ import annotations

import json
import subprocess
import sys

import pytest
from smolvla_ros.simulation.step_back import DRAWING_NICENESS, SIMULATOR_NICENESS

TRY = """
import json, os, threading
from smolvla_ros.simulation.step_back import AUTOGROUP, step_back
def niceness(threads):
    return sorted(os.getpriority(os.PRIO_PROCESS, int(t)) for t in threads)
def group():
    return AUTOGROUP.read_text().split()[-1:] if AUTOGROUP.exists() else []  # empty where the kernel groups nothing
before, found = set(os.listdir("/proc/self/task")), {"group_before": group()}
def draw():
    step_back()
    over = threading.Event()
    helper = threading.Thread(target=over.wait)
    helper.start()
    found["drawing"] = niceness(set(os.listdir("/proc/self/task")) - before)
    over.set()
thread = threading.Thread(target=draw)
thread.start()
thread.join()
found["others"] = niceness(before)
found["group"] = group()
print(json.dumps(found))
"""


@pytest.mark.parametrize("leads_session", [True, False])
def test_drawing_and_the_renderers_own_threads_are_nice_and_the_group_is_where_it_is_the_simulators(
    leads_session: bool,
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", TRY], capture_output=True, text=True, check=True, start_new_session=leads_session
    )
    found = json.loads(child.stdout)
    own = found["others"][0]
    assert found["drawing"] == [max(own, DRAWING_NICENESS)] * 2
    assert found["others"] == [own] * len(found["others"])
    grouped = leads_session and found["group_before"]
    assert found["group"] == ([str(SIMULATOR_NICENESS)] if grouped else found["group_before"])
