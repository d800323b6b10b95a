from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from so100_hardware.cli import main
from so100_hardware.commands.console import Console, NoAnswerError

sys.path.insert(0, str(Path(__file__).parent))  # modules that tests share

Answer = str | Callable[[], str]


class ScriptedConsole(Console):
    """Answers from a list; an answer may be a function, which can move the arm before it returns one.

    `sweep` is what happens while a live view runs: each call of enter_pressed takes the next step, Enter after the
    last. The clock is the sum of the sleeps.
    """

    def __init__(self, answers: Sequence[Answer] = (), sweep: Sequence[Callable[[], None]] = ()) -> None:
        super().__init__()
        self.answers = list(answers)
        self.sweep = list(sweep)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.live: list[str] = []
        self.time_s = 0.0

    def say(self, text: str = "") -> None:
        self.said += text.split("\n")

    def ask(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise NoAnswerError(question)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, str) else answer()

    def show_live(self, lines: Sequence[str]) -> None:
        self.live = list(lines)

    def enter_pressed(self) -> bool:
        if not self.sweep:
            return True
        self.sweep.pop(0)()
        return False

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s

    @property
    def text(self) -> str:
        return "\n".join(self.said)


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
