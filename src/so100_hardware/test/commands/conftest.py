from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # modules that tests share

from scripted_operator import HandMovedArm, ScriptedConsole
from so100_hardware.cli import main

from so100_hardware import VirtualBus


@pytest.fixture
def hand_moved(virtual: VirtualBus) -> Callable[..., HandMovedArm]:
    return lambda at=(2048.0,) * 6: HandMovedArm(virtual, at)


@pytest.fixture
def make_console() -> type[ScriptedConsole]:
    return ScriptedConsole


@pytest.fixture
def so100(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the command in this process: its exit code, and what it said on the console and on standard error."""

    def run(*words: object, console: ScriptedConsole | None = None) -> tuple[int, str]:
        console = console or ScriptedConsole()
        capsys.readouterr()
        code = main([str(word) for word in words], console)
        return code, console.text + capsys.readouterr().err

    return run
