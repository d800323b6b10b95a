"""The console at a terminal and without one."""

from __future__ import annotations

import io
import os
import sys
import time

import pytest
from so100_hardware.commands.console import Console, NoAnswerError


class Terminal(io.StringIO):
    """What stands on the screen, with the codes that move the cursor."""

    def isatty(self) -> bool:
        return True


def test_a_live_view_is_written_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    console = Console()
    console.show_live(["one", "two"])
    console.show_live(["three", "four"])
    assert screen.getvalue() == "\033[Kone\n\033[Ktwo\n\033[2F\033[Kthree\n\033[Kfour\n"


def test_what_is_said_after_a_live_view_stays_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    console = Console()
    console.show_live(["one"])
    console.say("done")
    console.show_live(["two"])
    assert screen.getvalue() == "\033[Kone\ndone\n\033[Ktwo\n"


def test_enter_is_noticed_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    typed, keys = os.pipe()
    with os.fdopen(typed) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        console = Console()
        started = time.monotonic()
        assert not console.enter_pressed()
        assert time.monotonic() - started < 0.5
        os.write(keys, b"\n")
        assert console.enter_pressed()
        assert not console.enter_pressed()
        os.close(keys)


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
