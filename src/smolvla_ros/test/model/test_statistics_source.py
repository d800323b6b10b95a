"""Statistics that an operator names: of a prefix in the checkpoint, of a dataset of any age, of a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_variants import put_statistics_among_weights, rename_statistics
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.statistics_source import read_statistics_file

FEATURES = ("observation.state", "action")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def episodes(seed: int = 0) -> list[np.ndarray]:
    """Frames of three episodes of different lengths, six joints."""
    random = np.random.default_rng(seed)
    return [random.normal(10 * n, 1 + n, (length, 6)) for n, length in enumerate((40, 7, 123))]


def of_frames(frames: np.ndarray) -> dict[str, list[float]]:
    values = {"mean": frames.mean(0), "std": frames.std(0), "min": frames.min(0), "max": frames.max(0)}
    return {name: value.tolist() for name, value in values.items()} | {"count": [len(frames)]}


def dataset_with_stats(folder: Path, features: tuple[str, ...] = FEATURES) -> Path:
    (folder / "meta").mkdir(parents=True)
    frames = np.concatenate(episodes())
    camera = {"observation.images.top": {"mean": [[[0.5]]] * 3}}
    stats = {feature: of_frames(frames) for feature in features} | camera
    (folder / "meta" / "stats.json").write_text(json.dumps(stats))
    return folder


def dataset_with_episode_stats(folder: Path) -> Path:
    (folder / "meta").mkdir(parents=True)
    lines = [
        json.dumps({"episode_index": index, "stats": {feature: of_frames(frames) for feature in FEATURES}})
        for index, frames in enumerate(episodes())
    ]
    (folder / "meta" / "episodes_stats.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_statistics_of_episodes_join_to_those_of_all_their_frames(tmp_path: Path) -> None:
    """Episodes of unequal length: plain averages of means or deviations would be wrong."""
    joined = read_statistics_file(dataset_with_episode_stats(tmp_path / "dataset"))["action"]
    expected = of_frames(np.concatenate(episodes()))
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(joined[name].numpy(), expected[name], rtol=1e-5, err_msg=name)
    assert joined["count"].tolist() == [170]


@pytest.mark.parametrize("make", [dataset_with_stats, dataset_with_episode_stats])
def test_a_dataset_gives_states_and_actions(folder: Path, tmp_path: Path, make: object) -> None:
    rename_statistics(folder, "so100")
    dataset = make(tmp_path / "dataset")  # type: ignore[operator]
    processors = load_checkpoint(folder, statistics=dataset).processors
    expected = torch.tensor(of_frames(np.concatenate(episodes()))["mean"])
    for normalizer in (processors.state, processors.action):
        torch.testing.assert_close(normalizer.first, expected)


@pytest.mark.parametrize("file", ["stats.json", "stats.safetensors"])
def test_a_file_of_its_own_gives_them_too(folder: Path, tmp_path: Path, file: str) -> None:
    dataset = dataset_with_stats(tmp_path / "dataset")
    path = tmp_path / file
    if file.endswith("json"):
        shutil.copy(dataset / "meta" / "stats.json", path)
    else:
        stats = read_statistics_file(dataset)
        save_file({f"{f}.{n}": v for f, values in stats.items() for n, v in values.items()}, path)
    expected = torch.tensor(of_frames(np.concatenate(episodes()))["std"])
    torch.testing.assert_close(load_checkpoint(folder, statistics=str(path)).processors.action.second, expected)


def test_a_prefix_of_the_file_gives_both_where_it_holds_both(saved: Path, folder: Path) -> None:
    rename_statistics(folder, "so100-blue")
    found, plain = load_checkpoint(folder, statistics="so100-blue").processors, load_checkpoint(saved).processors
    assert torch.equal(found.action.first, plain.action.first)
    assert torch.equal(found.state.first, plain.state.first)


def test_a_prefix_with_actions_alone_is_refused_for_want_of_states(folder: Path) -> None:
    """As in the public base checkpoint: the arm would run on states that nothing normalises."""
    rename_statistics(folder, "so100-blue", ("action",))
    with pytest.raises(CheckpointError, match=r"expected the statistics observation\.state\.mean"):
        load_checkpoint(folder, statistics="so100-blue")


def test_states_may_come_from_another_name(folder: Path, tmp_path: Path) -> None:
    rename_statistics(folder, "so100-blue", ("action",))
    dataset = dataset_with_stats(tmp_path / "dataset")
    own = load_file(next(folder.glob("policy_pre*.safetensors")))["so100-blue.buffer.action.mean"]
    processors = load_checkpoint(folder, statistics=["so100-blue", str(dataset)]).processors
    assert torch.equal(processors.action.first, own)
    torch.testing.assert_close(processors.state.first, torch.tensor(of_frames(np.concatenate(episodes()))["mean"]))


def test_what_was_named_is_saved_under_the_public_names(folder: Path, tmp_path: Path) -> None:
    rename_statistics(folder, "so100")
    checkpoint = load_checkpoint(folder, statistics="so100")
    save_checkpoint(checkpoint, tmp_path / "named")
    assert torch.equal(load_checkpoint(tmp_path / "named").processors.state.first, checkpoint.processors.state.first)


def test_statistics_among_the_weights_are_those_of_the_processor_files(saved: Path, folder: Path) -> None:
    put_statistics_among_weights(folder)
    old, new = load_checkpoint(folder).processors, load_checkpoint(saved).processors
    for a, b in ((old.state, new.state), (old.action, new.action)):
        assert (a.mode, a.first.tolist(), a.second.tolist()) == (b.mode, b.first.tolist(), b.second.tolist())
    assert (old.newline, old.max_length) == (new.newline, new.max_length)


def test_statistics_among_the_weights_of_several_datasets_must_be_named(saved: Path, folder: Path) -> None:
    put_statistics_among_weights(folder, variant="so100-blue")
    with pytest.raises(CheckpointError, match=r"so100-blue\.buffer\.action\.mean.*--statistics NAME"):
        load_checkpoint(folder)
    named = load_checkpoint(folder, statistics="so100-blue").processors
    assert torch.equal(named.action.first, load_checkpoint(saved).processors.action.first)


def test_statistics_never_set_are_refused_with_the_ways_out(folder: Path, tmp_path: Path) -> None:
    put_statistics_among_weights(folder, unset=True)
    with pytest.raises(CheckpointError, match=r"expected finite values.*never set.*--statistics NAME"):
        load_checkpoint(folder)
    load_checkpoint(folder, statistics=dataset_with_stats(tmp_path / "dataset"))


def test_neither_files_nor_statistics_is_refused_with_the_ways_out(folder: Path) -> None:
    for path in folder.glob("policy_*"):
        path.unlink()
    with pytest.raises(CheckpointError, match=r"found none.*--statistics NAME"):
        load_checkpoint(folder)


def test_an_unknown_name_lists_those_of_the_checkpoint(folder: Path) -> None:
    rename_statistics(folder, "so100-blue")
    with pytest.raises(CheckpointError, match=r"statistics 'so101': expected .*\(so100-blue\), found none of them"):
        load_checkpoint(folder, statistics="so101")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected a JSON object"),
        ("{", "expected JSON"),
        ("{}", "expected statistics of observation.state and action, found neither"),
        ('{"action": 3}', "action: expected a mapping of statistics, found 3"),
        ('{"action": {"mean": ["a"]}}', "action.mean: expected numbers"),
        ('{"action": {"mean": [[1], [1, 2]]}}', "action.mean: expected numbers"),
        ('{"action": {"mean": [1, 2], "std": [1, 2]}}', "expected 6 values, found shape [2]"),
    ],
)
def test_a_file_that_is_none_is_refused(folder: Path, tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "stats.json").write_text(text)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder, statistics=tmp_path / "stats.json")
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"stats": 1}', '{"stats": {"action": {"mean": [1]}}}', "[1]"], ids=str)
def test_episodes_that_are_none_are_refused(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "episodes_stats.jsonl").write_text(text)
    with pytest.raises(CheckpointError, match=r"episodes_stats\.jsonl"):
        load_checkpoint(folder, statistics=tmp_path)


def test_a_folder_that_is_no_dataset_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"expected meta/stats\.json or meta/episodes_stats\.jsonl"):
        load_checkpoint(folder, statistics=tmp_path / "empty")
