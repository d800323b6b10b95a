from __future__ import annotations

import pytest
from smolvla_ros.data.annotation.prompt import prompt_for, sentence_of


def test_the_question_names_the_task_and_asks_for_thirty_characters() -> None:
    asked = prompt_for(" so100 pick. ")
    assert asked.startswith("Here is a current task description: so100 pick. Generate a very short,")
    assert "(max 30 characters)" in asked


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("Pick up the cube.", "Pick up the cube"),
        ('\n  "Open the drawer."\nIt is a drawer.', "Open the drawer"),
        ("“Place  the\tcup”", "Place the cup"),
        ("Nimm den Würfel", "Nimm den Würfel"),
        ("\x00\x1b...\n", ""),
        ("", ""),
    ],
)
def test_of_an_answer_one_plain_sentence_is_kept(answer: str, sentence: str) -> None:
    assert sentence_of(answer) == sentence
