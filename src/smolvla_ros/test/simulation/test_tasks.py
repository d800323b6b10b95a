from __future__ import annotations

import pytest
from smolvla_ros.simulation.tasks import (
    REPHRASED,
    TASK_NAMES,
    PickAndPlace,
    Placement,
    Sort,
    Stack,
    TaskError,
    instructions,
    next_placement,
    parse,
    rephrased,
)

OBJECTS = ("red cube", "blue cube", "red box", "blue box")


@pytest.mark.parametrize(
    "words",
    [
        "put the red cube in the blue box",
        "Put the red block into the blue bin.",
        "please pick up the red cube and place it in the blue box",
        "pick the red cube up and put it in the blue box",
        "Take the red block, and put it into the blue container!",
        "  MOVE the red cube   to the blue tray ",
    ],
)
def test_many_wordings_mean_the_same(words: str) -> None:
    assert parse(words) == PickAndPlace("red cube", "blue box")


@pytest.mark.parametrize("words", ["stack the red cube on the blue cube", "Put the red block on top of the blue one."])
def test_a_cube_on_a_cube_is_stacking(words: str) -> None:
    assert parse(words.replace("one.", "block.")) == Stack("red cube", "blue cube")


@pytest.mark.parametrize("words", ["sort the cubes by colour", "Put each cube in the box of its color!"])
def test_every_cube_to_its_colour_is_sorting(words: str) -> None:
    assert parse(words) == Sort()


@pytest.mark.parametrize(
    "words",
    [
        "",
        "fold the towel",
        "put the red box in the blue cube",
        "put the pink cube in the red box",
        "stack the red cube on the red cube",
    ],
)
def test_what_is_not_understood_is_told_with_an_example(words: str) -> None:
    with pytest.raises(TaskError, match="put the red cube in the blue box") as caught:
        parse(words)
    assert f"found '{words}'" in str(caught.value)


@pytest.mark.parametrize(("task", "count"), zip(TASK_NAMES, (4, 2, 1), strict=True))
def test_every_instruction_of_a_scene_is_understood(task: str, count: int) -> None:
    offered = instructions(OBJECTS, task)
    assert len(offered) == count
    assert {parse(words).instruction for words in offered} == set(offered)


def test_other_words_mean_the_same_task() -> None:
    task = PickAndPlace("blue cube", "red box")
    assert {parse(rephrased(task, template)) for template in REPHRASED} == {task}


def test_sorting_goes_on_to_the_cube_that_is_not_in_its_box() -> None:
    red, blue = Placement("red cube", "red box"), Placement("blue cube", "blue box")
    assert next_placement(Sort(), OBJECTS, lambda one: False) == red
    assert next_placement(Sort(), OBJECTS, lambda one: one == red) == blue
    assert next_placement(Sort(), OBJECTS, lambda one: True) == blue
