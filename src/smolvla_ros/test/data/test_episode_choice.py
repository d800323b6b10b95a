from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.data.episode_choice import episodes_named, split_episodes
from smolvla_ros.data.errors import DatasetError


def test_numbers_and_ranges_name_episodes_in_order() -> None:
    assert episodes_named("7, 0-2,9", 10) == [7, 0, 1, 2, 9]


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "0,,1", "10", "0-10", "1,0-2"])
def test_what_names_no_episodes_is_refused_with_what_would(text: str) -> None:
    with pytest.raises(DatasetError, match="episodes '"):
        episodes_named(text, 10)


@given(st.integers(2, 200), st.floats(0.3, 0.7), st.none() | st.integers(0, 9))
def test_shares_that_make_a_whole_leave_no_episode_out_and_take_none_twice(n: int, share: float, seed: int) -> None:
    found = split_episodes({"train": str(share), "val": str(1 - share)}, n, seed)
    assert sorted(found["train"] + found["val"]) == list(range(n))
    assert abs(len(found["train"]) - share * n) <= 0.5


def test_shares_take_episodes_in_order_or_shuffled_by_a_seed() -> None:
    assert split_episodes({"train": "0.8", "val": "0.2"}, 10, None) == {"train": list(range(8)), "val": [8, 9]}
    shuffled = split_episodes({"train": "0.8", "val": "0.2"}, 10, 1)
    assert shuffled == split_episodes({"train": "0.8", "val": "0.2"}, 10, 1)
    assert shuffled["val"] != [8, 9]


def test_numbers_name_the_episodes_of_each_split() -> None:
    assert split_episodes({"train": "0-2", "val": "5"}, 10, None) == {"train": [0, 1, 2], "val": [5]}


@pytest.mark.parametrize(
    ("wanted", "seed", "told"),
    [
        ({"train": "0.8", "val": "0.3"}, None, "sum up to at most 1, found 1.1"),
        ({"train": "0.8", "val": "0.01"}, None, "split val: expected at least one episode"),
        ({"train": "0.8", "val": "1-2"}, None, "numbers and ranges"),
        ({"train": "0-4", "val": "4-5"}, None, r"expected each episode in one split, found \[4\]"),
        ({"train": "0-4"}, 3, "leave the seed out"),
        ({"train": "0.x"}, None, "a share above 0"),
    ],
)
def test_splits_that_contradict_themselves_are_refused(wanted: dict[str, str], seed: int | None, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        split_episodes(wanted, 10, seed)
