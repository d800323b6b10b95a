from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.data.annotation.review import Entry, Review, read_review, write_review
from smolvla_ros.data.errors import DatasetError

REVIEW = Review("model", "top", 4, (Entry(0, ("a: 'b'", "stelle"), "Pick: up", "- Pick"), Entry(1, ("x",), "", "")))


def test_a_review_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_review(tmp_path / "r.yaml", tmp_path, REVIEW)
    assert read_review(tmp_path / "r.yaml") == REVIEW
    assert (tmp_path / "r.yaml").read_text().startswith("# Proposed tasks. Correct `task` where it is wrong")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "expected YAML"),
        ("[]", "a mapping with a list `episodes`"),
        ("episodes: [3]", "entry 0: expected a mapping with the number of an episode"),
        ("episodes: [{episode: 0, was: x}]", "entry 0: was: expected a list of texts"),
        ("episodes: [{episode: 0, was: [x], task: 5}]", "entry 0: task: expected one line of text, found 5; put it"),
    ],
)
def test_what_a_person_spoilt_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(DatasetError, match=r"r\.yaml") as found:
        read_review(tmp_path / "r.yaml")
    assert told in str(found.value)
