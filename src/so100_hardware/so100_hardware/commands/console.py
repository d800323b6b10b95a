"""Where a command talks to the operator, and its clock. Tests put another one in its place."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence


class NoAnswerError(RuntimeError):
    """A question that nobody can answer: the input has ended."""

    def __init__(self, question: str) -> None:
        super().__init__(
            f"'{question}' has no answer: the command needs a terminal to ask at, or --yes where it has it"
        )


class Console:
    """The terminal and the wall clock. State: how many lines of the live view stand above the cursor."""

    def __init__(self) -> None:
        self._live_lines = 0

    def say(self, text: str = "") -> None:
        self._live_lines = 0
        print(text, flush=True)

    def ask(self, question: str) -> str:
        """The answer, without spaces around it. Raises NoAnswerError at the end of the input."""
        self._live_lines = 0
        try:
            return input(f"{question} ").strip()
        except EOFError:
            print()
            raise NoAnswerError(question) from None

    def confirm(self, question: str) -> bool:
        """True for y or yes, whatever else is no."""
        return self.ask(f"{question} [y/N]").lower() in ("y", "yes")

    def show_live(self, lines: Sequence[str]) -> None:
        """Writes over what the last call wrote; nothing where there is no terminal to write over."""
        if not sys.stdout.isatty():
            return
        if self._live_lines:
            sys.stdout.write(f"\033[{self._live_lines}F")
        sys.stdout.write("".join(f"\033[K{line}\n" for line in lines))
        sys.stdout.flush()
        self._live_lines = len(lines)

    def enter_pressed(self) -> bool:
        """True when Enter was pressed, or the input has ended. Does not wait."""
        if not select.select([sys.stdin], [], [], 0.0)[0]:
            return False
        sys.stdin.readline()
        return True

    def now_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)
