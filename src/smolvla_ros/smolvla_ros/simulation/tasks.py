"""Instructions in words and what they mean: one vocabulary for scripted policy, judge and demonstrations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = ("red", "blue", "green", "yellow")
CUBE_WORDS, BOX_WORDS = ("cube", "block"), ("box", "bin", "tray", "container")
VERBS = ("pick up", "pick", "put", "place", "move", "drop", "take", "bring")
_PATTERN = re.compile(
    rf"^(?:please )?(?:{'|'.join(VERBS)}) the (?P<cube>{'|'.join(COLOURS)}) (?:{'|'.join(CUBE_WORDS)})(?: up)?"
    rf"(?: and (?:{'|'.join(VERBS[2:])}) it)? (?:into|inside|in|to) the (?P<box>{'|'.join(COLOURS)}) "
    rf"(?:{'|'.join(BOX_WORDS)})$"
)


class TaskError(ValueError):
    """An instruction that names no task. The message says what can be asked for."""


@dataclass(frozen=True)
class PickAndPlace:
    """Names of the objects: "red cube", "blue box"."""

    cube: str
    box: str

    @property
    def instruction(self) -> str:
        return f"put the {self.cube} in the {self.box}"


def parse(instruction: str) -> PickAndPlace:
    """Raises TaskError where the instruction is not understood."""
    words = " ".join(re.sub(r"[.,!]", " ", instruction.lower()).split())
    match = _PATTERN.match(words)
    if match is None:
        raise TaskError(
            f"instruction: expected one like 'put the red cube in the blue box' (colours: {', '.join(COLOURS)}), "
            f"found '{instruction}'"
        )
    return PickAndPlace(f"{match['cube']} cube", f"{match['box']} box")


def instructions(objects: Iterable[str]) -> list[str]:
    """Everything that can be asked for with objects of these names."""
    names = list(objects)
    cubes, boxes = ([name for name in names if name.endswith(kind)] for kind in (" cube", " box"))
    return [PickAndPlace(cube, box).instruction for cube in cubes for box in boxes]
