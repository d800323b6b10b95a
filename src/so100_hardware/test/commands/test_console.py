"""The console at a terminal and without one."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator

import pytest
from so100_hardware.commands.console import Console, NoAnswerError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What stands on the terminal, with the codes that move the cursor."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A descriptor: what is written to it is typed."""
    typed, keys = os.pipe()
    with os.fdopen(typed) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keys
        os.close(keys)


def test_a_live_view_is_written_over_itself(screen: Terminal) -> None:
    console = Console()
    console.show_live(["one", "two"])
    console.show_live(["three", "four"])
    assert screen.getvalue() == "\033[Kone\n\033[Ktwo\n\033[2F\033[Kthree\n\033[Kfour\n"


def test_what_is_said_after_a_live_view_stays_below_it(screen: Terminal) -> None:
    console = Console()
    console.show_live(["one"])
    console.say("done")
    console.show_live(["two"])
    assert screen.getvalue() == "\033[Kone\ndone\n\033[Ktwo\n"


def test_enter_is_noticed_without_waiting_for_it(keyboard: int) -> None:
    console = Console()
    started = time.monotonic()
    assert not console.enter_pressed()
    assert time.monotonic() - started < 0.5
    os.write(keyboard, b"\n")
    assert console.enter_pressed()
    assert not console.enter_pressed()


def test_without_a_terminal_there_is_no_live_view(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show_live(["one"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("typed", "yes"), [("y", True), ("YES", True), ("", False), ("n", False), ("yolo", False)])
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, typed: str, yes: bool) -> None:
    monkeypatch.setattr("builtins.input", lambda question: f" {typed} ")
    assert Console().confirm("write?") is yes


def test_an_input_that_has_ended_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    with pytest.raises(NoAnswerError, match="'write\\?' has no answer"):
        Console().ask("write?")
