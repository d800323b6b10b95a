from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.data.annotation.proposing import propose
from smolvla_ros.data.annotation.review import Review, read_review
from smolvla_ros.data.dataset import Dataset, open_dataset
from smolvla_ros.data.dataset_arrays import made_arrays, write_here
from smolvla_ros.data.errors import DatasetError

WANTED = Review("counter", "observation.images.top", 3)


class Counter:
    """Says how many pictures it was shown; stops working when told to."""

    def __init__(self, stop_at: int = 99) -> None:
        self.shown: list[np.ndarray] = []
        self.stop_at = stop_at

    def __call__(self, pictures: Sequence[np.ndarray], task: str) -> str:
        if len(self.shown) == self.stop_at:
            raise KeyboardInterrupt
        self.shown.append(np.stack(pictures))
        return f"{len(pictures)} pictures of {task}"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_here(tmp_path / "d", made_arrays(0, (9, 2, 5)), "h264")
    return open_dataset(tmp_path / "d")


def test_each_episode_is_shown_by_frames_over_its_length(dataset: Dataset, tmp_path: Path) -> None:
    counter = Counter()
    entries = list(propose(dataset, WANTED, tmp_path / "r.yaml", lambda: counter))
    assert [entry.proposed[:10] for entry in entries] == ["3 pictures", "2 pictures", "3 pictures"]
    np.testing.assert_array_equal(counter.shown[0], dataset.images(WANTED.camera, [0, 4, 8]))
    assert read_review(tmp_path / "r.yaml").entries == tuple(entries)


def test_an_interrupted_run_goes_on_and_keeps_what_a_person_changed(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    with pytest.raises(KeyboardInterrupt):
        list(propose(dataset, WANTED, path, lambda: Counter(stop_at=1)))
    path.write_text(path.read_text().replace("task: 3 pictures", "task: corrected"))
    assert [entry.episode for entry in propose(dataset, WANTED, path, Counter)] == [1, 2]
    assert [entry.task[:9] for entry in read_review(path).entries] == ["corrected", "2 picture", "3 picture"]
    assert list(propose(dataset, WANTED, path, lambda: pytest.fail("nothing is left to do"))) == []


@pytest.mark.parametrize("other", [Review("another", *("observation.images.top", 3)), Review("counter", "side", 3)])
def test_proposals_of_two_kinds_are_not_mixed(dataset: Dataset, tmp_path: Path, other: Review) -> None:
    list(propose(dataset, WANTED, tmp_path / "r.yaml", Counter))
    with pytest.raises(DatasetError, match="begin anew with --restart"):
        list(propose(dataset, other, tmp_path / "r.yaml", Counter))
