"""The plugin's read and write allocate nothing. Only a program that counts them can show that."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "cycle_allocations"


def test_the_plugins_cycle_allocates_nothing(tmp_path: Path, describe: Callable[..., str], servos: Any) -> None:
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(describe())
    build = tmp_path / "build"
    for command in (["cmake", "-S", SOURCE, "-B", build], ["cmake", "--build", build]):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    done = subprocess.run([build / "cycle_allocations", urdf], capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout.splitlines()[-1:]
    assert said == ["0 allocations in 300 cycles, 0 failed, 48 states"], done.stdout + done.stderr
