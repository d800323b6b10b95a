from __future__ import annotations

import pytest
from smolvla_ros.simulation.tasks import PickAndPlace, TaskError, instructions, parse


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


@pytest.mark.parametrize(
    "words", ["", "fold the towel", "put the red box in the blue cube", "put the pink cube in the red box"]
)
def test_what_is_not_understood_is_told_with_an_example(words: str) -> None:
    with pytest.raises(TaskError, match="put the red cube in the blue box") as caught:
        parse(words)
    assert f"found '{words}'" in str(caught.value)


def test_every_instruction_of_a_scene_is_understood() -> None:
    offered = instructions(["red cube", "blue cube", "red box", "blue box"])
    assert len(offered) == 4
    assert {parse(words).instruction for words in offered} == set(offered)
