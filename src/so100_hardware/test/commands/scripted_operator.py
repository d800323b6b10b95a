"""An operator who answers from a list and moves a virtual arm by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from so100_hardware.commands.console import Console, NoAnswerError

from so100_hardware import VirtualBus

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
        self.transcript: list[str] = []  # as it would stand on the terminal
        self.time_s = 0.0

    def say(self, text: str = "") -> None:
        self.said += text.split("\n")
        self.transcript += text.split("\n")

    def ask(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise NoAnswerError(question)
        answer = self.answers.pop(0)
        given = answer if isinstance(answer, str) else answer()
        self.transcript.append(f"{question} {given}".rstrip())
        return given

    def show_live(self, lines: Sequence[str]) -> None:
        self.live = list(lines)

    def enter_pressed(self) -> bool:
        if not self.sweep:
            self.transcript += self.live
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


class HandMovedArm:
    """A virtual arm that somebody moves by hand: `at` are the encoders' counts, joint by joint."""

    def __init__(self, virtual: VirtualBus, at: Sequence[float]) -> None:
        self.virtual = virtual
        self.at = list(at)
        self.move(self.at)

    def move(self, to: Sequence[float]) -> str:
        """All joints at once; the answer of whoever pressed Enter afterwards."""
        self.at = list(to)
        self.virtual.exchange(self.at, [0.0] * len(self.at), [0.0] * len(self.at), 0.0)
        return ""

    def move_joint(self, joint: int, to: float) -> str:
        return self.move([*self.at[:joint], to, *self.at[joint + 1 :]])

    def steps(self, joint: int, *ends: float, step: float = 200.0) -> list[Callable[[], object]]:
        """Moves that bring a joint from where it then is to each of the ends, for a console's sweep."""
        moves: list[Callable[[], object]] = []
        place = self.at[joint]
        for end in ends:
            count = max(1, round(abs(end - place) / step))
            moves += [
                lambda to=place + (end - place) * i / count: self.move_joint(joint, to) for i in range(1, count + 1)
            ]
            place = end
        return moves
