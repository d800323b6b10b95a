"""Between layers no memory goes back to the system: asked for again, it costs no fresh pages."""

from __future__ import annotations

import subprocess
import sys

import pytest

# 200 blocks of 16 MB (4096 pages each), made and freed in turn
PROGRAM = """
import resource, torch
from smolvla_ros.engines.freed_memory import keep_freed_memory
keep_freed_memory()
torch.ones(1 << 22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    torch.ones(1 << 22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_memory_is_used_again_without_fresh_pages() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20 * 4096
