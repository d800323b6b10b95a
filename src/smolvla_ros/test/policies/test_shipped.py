"""The checkpoints that come with the project load by their names, fit the arm and do what they are there for."""

from __future__ import annotations

import json

import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.registry import UnknownPolicy, make_policy
from smolvla_ros.policies.shipped import FOLDER, shipped_folder, shipped_names
from smolvla_ros.runtime.rehearsal import Rehearsal
from smolvla_ros.runtime.word_swap import word_swap
from smolvla_ros.training.small_checkpoint import RECIPE_FILE

ROBOT = load_embodiment()
MOST_BYTES = 12_000_000


def test_each_is_small_and_tells_how_it_was_made() -> None:
    assert shipped_names() == ["pick_and_place"]
    for name in shipped_names():
        folder = FOLDER / name
        assert sum(file.stat().st_size for file in folder.rglob("*")) < MOST_BYTES
        assert json.loads((folder / RECIPE_FILE).read_text())["demonstrations"]["seed"] == 1_000_000


def test_the_cubes_word_tells_where_the_first_chunk_goes() -> None:
    found = word_swap(make_policy("pick_and_place", ROBOT), ROBOT, range(300, 306))
    assert found["named_share"] >= 0.9
    assert found["aligned_share"] > 0.7


def test_the_named_cube_comes_into_the_named_box() -> None:
    rehearsal = Rehearsal(ROBOT, make_policy("pick_and_place", ROBOT))
    asked = rehearsal.instructions
    outcomes = [rehearsal.run(seed, asked[seed % len(asked)], time_limit_s=10.0)[0] for seed in range(300, 304)]
    rehearsal.close()
    assert sum(bool(outcome.judged) for outcome in outcomes) >= 3, [outcome.message for outcome in outcomes]


def test_another_name_is_refused_with_those_there_are() -> None:
    assert shipped_folder("nothing") is None
    with pytest.raises(UnknownPolicy, match="'pick_and_place'"):
        make_policy("nothing", ROBOT)
