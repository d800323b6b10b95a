"""What does not fit is refused before anything is learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from smolvla_ros.cli import main
from smolvla_ros.data.dataset import Dataset, open_dataset
from smolvla_ros.data.features import ACTION, STATE, camera, vector
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.data.writer import commit_parts, create_dataset, write_part
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.training.beginning import camera_names, from_checkpoint, from_scratch
from smolvla_ros.training.dataset_samples import DatasetSamples, split_episodes
from smolvla_ros.training.errors import TrainingError
from training_support import CAMERAS, CHUNK, SHAPE, made_checkpoint

LENGTHS = (9, 7, 8)
MODEL = {**SHAPE, "policy": {"chunk_size": CHUNK, "n_action_steps": CHUNK}}


def write_dataset(root: Path, unit: str = "degrees", joints: int = 3, cameras: tuple[str, ...] = CAMERAS) -> Path:
    random = np.random.default_rng(2)
    feature = vector([f"joint_{i}.pos" for i in range(joints)], [unit] * joints)
    eyes = {name: camera(32, 48) for name in cameras}
    create_dataset(root, {STATE: feature, ACTION: feature, **eyes}, 30, "so100")
    size = 40.0 if unit == "degrees" else 0.7
    for index, length in enumerate(LENGTHS):
        columns = {name: random.normal(0, size, (length, joints)).astype(np.float32) for name in (STATE, ACTION)}
        images = {name: random.integers(0, 256, (length, 32, 48, 3), dtype=np.uint8) for name in cameras}
        write_part(root, index, RecordedEpisode("pick up the pen", columns, images))
    commit_parts(root)
    return root


@pytest.fixture(scope="module")
def degrees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("degrees") / "data")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("policy") / "checkpoint"
    save_checkpoint(made_checkpoint(), folder)
    return str(folder)


def test_fine_tuning_takes_the_datasets_statistics(degrees: Path, policy: str) -> None:
    dataset = open_dataset(degrees)
    mean = from_checkpoint(policy, dataset, {}).processors.action.first
    np.testing.assert_allclose(mean.numpy(), dataset.column(ACTION).mean(axis=0), rtol=1e-4, atol=1e-4)


def offsets(dataset: Dataset, excluded: int) -> np.ndarray:
    """Of every row that a chunk of CHUNK has, from the state that the chunk begins in."""
    actions, is_pad = dataset.chunks(range(len(dataset)), CHUNK)
    state = dataset.column(STATE)[:, None].copy()
    state[..., excluded] = 0
    return (actions - state)[~is_pad]


def test_a_policy_of_relative_actions_takes_the_statistics_of_offsets(degrees: Path, tmp_path: Path) -> None:
    dataset = open_dataset(degrees)
    wanted = {**MODEL, "relative_actions": {"exclude_joints": ["joint_2"]}}
    scratch = from_scratch(dataset, wanted, 0, {})
    save_checkpoint(scratch, tmp_path / "policy")
    for made in (scratch, from_checkpoint(str(tmp_path / "policy"), dataset, {})):
        found = made.processors.action
        np.testing.assert_allclose(found.first.numpy(), offsets(dataset, 2).mean(axis=0), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found.second.numpy(), offsets(dataset, 2).std(axis=0), rtol=1e-3)
        assert made.processors.relative is not None


@pytest.mark.parametrize("asked", [["gripper"], {"exclude": ["gripper"]}, {"exclude_joints": "gripper"}, True])
def test_relative_actions_that_are_not_understood_are_refused(degrees: Path, asked: Any) -> None:
    with pytest.raises(TrainingError, match="relative_actions: expected"):
        from_scratch(open_dataset(degrees), {**MODEL, "relative_actions": asked}, 0, {})


def test_radians_are_refused_where_the_checkpoint_is_in_degrees(tmp_path: Path, policy: str) -> None:
    dataset = open_dataset(write_dataset(tmp_path / "data", "radians"))
    with pytest.raises(TrainingError, match=r"expected degrees .* as the checkpoint, found what looks like radians"):
        from_checkpoint(policy, dataset, {})


def test_other_joints_and_cameras_are_refused(tmp_path: Path, policy: str, degrees: Path) -> None:
    with pytest.raises(TrainingError, match=r"observation.state: expected 3 values, found \(4,\)"):
        from_checkpoint(policy, open_dataset(write_dataset(tmp_path / "four", joints=4)), {})
    other = open_dataset(write_dataset(tmp_path / "eyes", cameras=("observation.images.front",)))
    checkpoint = from_checkpoint(policy, other, {})
    with pytest.raises(TrainingError, match=r"cameras: expected .*top, .*wrist, found .*front; rename"):
        camera_names(checkpoint, other, {})
    with pytest.raises(TrainingError, match="rename nothing: expected a camera of"):
        camera_names(checkpoint, open_dataset(degrees), {"nothing": CAMERAS[0]})
    swapped = {CAMERAS[0]: CAMERAS[1], CAMERAS[1]: CAMERAS[0]}
    assert camera_names(checkpoint, open_dataset(degrees), swapped) == swapped


def test_missing_statistics_are_refused(tmp_path: Path, policy: str) -> None:
    root = write_dataset(tmp_path / "data")
    stats = root / "meta" / "stats.json"
    raw = json.loads(stats.read_text())
    del raw[ACTION]
    stats.write_text(json.dumps(raw))
    with pytest.raises(TrainingError, match="statistics of action: expected mean, std and quantiles, found none"):
        from_checkpoint(policy, open_dataset(root), {})


def test_a_changed_config_keeps_what_fits_and_is_refused_where_weights_do_not(degrees: Path, policy: str) -> None:
    dataset, before = open_dataset(degrees), load_checkpoint(policy).model.state_dict()
    changed = from_checkpoint(policy, dataset, {}, {"chunk_size": 9, "rtc_training_max_delay": 3})
    assert (changed.config.chunk_size, changed.config.rtc_training_max_delay) == (9, 3)
    assert all(torch.equal(value, before[name]) for name, value in changed.model.state_dict().items())
    with pytest.raises(CheckpointError, match="expected the checkpoint's weights to fit"):
        from_checkpoint(policy, dataset, {}, {"attention_mode": "self_attn"})
    fresh = from_checkpoint(policy, dataset, {}, {"attention_mode": "self_attn"}, new_expert=True, seed=7)
    for name, value in fresh.model.state_dict().items():
        assert torch.equal(value, before[name]) == (".vlm." in name or value.ndim == 1), name


def test_a_new_checkpoint_is_shaped_by_the_dataset_and_repeats_from_its_seed(degrees: Path) -> None:
    dataset = open_dataset(degrees)
    one, two = (from_scratch(dataset, MODEL, 5, {}) for _ in range(2))
    assert one.config.camera_features == CAMERAS
    assert (one.config.state_dim, one.config.chunk_size) == (3, CHUNK)
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))
    with pytest.raises(TrainingError, match="model: colour: expected one of size, vision"):
        from_scratch(dataset, {"colour": "red"}, 0, {})


def test_samples_are_the_datasets_rows_in_the_order_asked_for(degrees: Path) -> None:
    dataset: Dataset = open_dataset(degrees)
    found: Any = DatasetSamples(dataset, {CAMERAS[0]: "eye"}, CHUNK).batch([20, 3, 8])
    np.testing.assert_array_equal(found[STATE], dataset.column(STATE)[[20, 3, 8]])
    np.testing.assert_array_equal(found["eye"][1], dataset.image(CAMERAS[0], 3))
    np.testing.assert_array_equal(found["action_is_pad"].sum(axis=1), [2, 0, 5])


def test_held_out_episodes_are_whole_and_apart(degrees: Path) -> None:
    dataset = open_dataset(degrees)
    train, held_out = split_episodes(dataset, 0.4, seed=1)
    assert sorted([*train, *held_out]) == list(range(sum(LENGTHS)))
    assert len({dataset.episode_of(int(row)).index for row in held_out}) == 1
    with pytest.raises(TrainingError, match="expected more than the 3 held out, found 3"):
        split_episodes(dataset, 0.9, seed=1)


def test_the_command_trains_goes_on_and_refuses(
    degrees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, output = tmp_path / "recipe.yaml", tmp_path / "run"
    recipe.write_text(json.dumps({"model": MODEL, "training": {"batch_size": 4, "learning_rate": "1e-3"}}))
    words = ["train", "--dataset", str(degrees), "--output", str(output)]
    assert main([*words, "--config", str(recipe), "--steps", "2"]) == 0
    assert main(["train", "--resume", "--output", str(output), "--steps", "3"]) == 0
    assert load_checkpoint(output / "checkpoints" / "last" / "pretrained_model").config.chunk_size == CHUNK
    assert (output / "checkpoints" / "last").resolve().name == "000003"
    capsys.readouterr()
    assert main([*words, "--config", str(recipe)]) == 2
    assert "expected a new or an empty folder, found files" in capsys.readouterr().err
    recipe.write_text(json.dumps({"training": {"batchsize": 4}}))
    assert main([*words[:-1], str(tmp_path / "other"), "--config", str(recipe)]) == 2
    assert "batchsize: expected one of" in capsys.readouterr().err
    assert main(words) == 2
    assert "expected --dataset with --policy or --config" in capsys.readouterr().err
