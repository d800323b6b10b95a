"""Instructions in words and what they mean: one vocabulary for scripted policy, judge and demonstrations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

COLOURS = ("red", "blue", "green", "yellow")
CUBE_WORDS, BOX_WORDS = ("cube", "block"), ("box", "bin", "tray", "container")
VERBS = ("pick up", "pick", "put", "place", "move", "drop", "take", "bring")
PICK_AND_PLACE, STACKING, SORTING = "pick_and_place", "stacking", "sorting"
TASK_NAMES = (PICK_AND_PLACE, STACKING, SORTING)

_CUBE, _COLOUR = f"(?:{'|'.join(CUBE_WORDS)})", "|".join(COLOURS)
_START = rf"^(?:please )?(?:{'|'.join(VERBS)}|stack) the (?P<cube>{_COLOUR}) {_CUBE}(?: up)?"
_IN_BOX = re.compile(
    _START + rf"(?: and (?:{'|'.join(VERBS[2:])}) it)? (?:into|inside|in|to) the (?P<box>{_COLOUR}) "
    rf"(?:{'|'.join(BOX_WORDS)})$"
)
_ON_CUBE = re.compile(
    _START + rf"(?: and (?:{'|'.join(VERBS[2:])}|stack) it)? (?:on top of|onto|on) the (?P<onto>{_COLOUR}) {_CUBE}$"
)
_BY_COLOUR = re.compile(
    rf"^(?:please )?(?:sort the {_CUBE}s by colou?r"
    rf"|(?:put|place|sort|move) (?:each|every) {_CUBE} (?:into|in) the (?:{'|'.join(BOX_WORDS)}) of its colou?r)$"
)


class TaskError(ValueError):
    """An instruction that names no task. The message says what can be asked for."""


@dataclass(frozen=True)
class Placement:
    """One cube to its target, a box or another cube, by name: "red cube", "blue box"."""

    cube: str
    target: str

    @property
    def on_cube(self) -> bool:
        return self.target.endswith(" cube")


@dataclass(frozen=True)
class PickAndPlace:
    """Names of the objects: "red cube", "blue box"."""

    cube: str
    box: str

    @property
    def instruction(self) -> str:
        return f"put the {self.cube} in the {self.box}"

    def placements(self, _objects: Iterable[str]) -> tuple[Placement, ...]:
        return (Placement(self.cube, self.box),)


@dataclass(frozen=True)
class Stack:
    """One cube on top of another."""

    cube: str
    onto: str

    @property
    def instruction(self) -> str:
        return f"stack the {self.cube} on the {self.onto}"

    def placements(self, _objects: Iterable[str]) -> tuple[Placement, ...]:
        return (Placement(self.cube, self.onto),)


@dataclass(frozen=True)
class Sort:
    """Every cube into the box of its colour."""

    instruction: str = "put each cube in the box of its colour"

    def placements(self, objects: Iterable[str]) -> tuple[Placement, ...]:
        cubes = [name for name in objects if name.endswith(" cube")]
        return tuple(Placement(cube, f"{cube.removesuffix(' cube')} box") for cube in cubes)


Task = PickAndPlace | Stack | Sort


def parse(instruction: str) -> Task:
    """Raises TaskError where the instruction is not understood."""
    words = " ".join(re.sub(r"[.,!]", " ", instruction.lower()).split())
    if match := _IN_BOX.match(words):
        return PickAndPlace(f"{match['cube']} cube", f"{match['box']} box")
    if (match := _ON_CUBE.match(words)) and match["cube"] != match["onto"]:
        return Stack(f"{match['cube']} cube", f"{match['onto']} cube")
    if _BY_COLOUR.match(words):
        return Sort()
    raise TaskError(
        f"instruction: expected one like 'put the red cube in the blue box' (colours: {', '.join(COLOURS)}), "
        f"'{Stack('red cube', 'blue cube').instruction}' or '{Sort().instruction}', found '{instruction}'"
    )


def next_placement(task: Task, objects: Iterable[str], placed: Callable[[Placement], bool]) -> Placement:
    """What is to be done now: the first placement that is not done yet, the last where all are."""
    placements = task.placements(objects)
    return next((one for one in placements if not placed(one)), placements[-1])


def instructions(objects: Iterable[str], task: str = PICK_AND_PLACE) -> list[str]:
    """Everything that can be asked for with objects of these names."""
    names = list(objects)
    cubes, boxes = ([name for name in names if name.endswith(kind)] for kind in (" cube", " box"))
    if task == STACKING:
        return [Stack(cube, onto).instruction for cube, onto in permutations(cubes, 2)]
    if task == SORTING:
        return [Sort().instruction]
    return [PickAndPlace(cube, box).instruction for cube in cubes for box in boxes]


REPHRASED = (
    "please pick up the {cube} and place it into the {box}",
    "move the {cube} to the {box}",
    "drop the {cube} inside the {box}",
    "take the {block} and put it in the {bin}",
    "bring the {block} to the {container}",
)
"""Other words for PickAndPlace; {cube} and {box} are names, {block}, {bin}, {container} the same with these nouns."""


def rephrased(task: PickAndPlace, template: str) -> str:
    """The same task in the words of one of REPHRASED."""
    cube, box = task.cube.split()[0], task.box.split()[0]
    return template.format(
        cube=task.cube, box=task.box, block=f"{cube} block", bin=f"{box} bin", container=f"{box} container"
    )


def wordings(task: PickAndPlace) -> Sequence[str]:
    """The usual words and the others."""
    return (task.instruction, *(rephrased(task, template) for template in REPHRASED))
