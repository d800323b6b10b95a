"""Image tokens found once: the same training, a stopped fill goes on, tokens of something else are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from smolvla_ros.data.dataset import Dataset, open_dataset
from smolvla_ros.data.dataset_arrays import made_arrays, write_here
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.training import feature_filling
from smolvla_ros.training.beginning import from_scratch
from smolvla_ros.training.errors import TrainingError
from smolvla_ros.training.feature_cache import FeatureCache, identity_of
from smolvla_ros.training.feature_filling import cached_samples
from smolvla_ros.training.request import Request, begin
from smolvla_ros.training.settings import TrainingSettings
from training_support import CHUNK, SHAPE

LENGTHS = (9, 14)
CAMERAS = {name: name for name in ("observation.images.top", "observation.images.wrist")}
SETTINGS: dict[str, Any] = {"steps": 3, "batch_size": 4, "learning_rate": 1e-3, "train": "expert"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dataset") / "data"
    write_here(root, made_arrays(0, LENGTHS), "h264")
    return root


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> str:
    folder = tmp_path_factory.mktemp("policy") / "checkpoint"
    made = from_scratch(open_dataset(dataset), {**SHAPE, "policy": {"chunk_size": CHUNK, "n_action_steps": 2}}, 0, {})
    save_checkpoint(made, folder)
    return str(folder)


def trained(
    dataset: Path, policy: str, output: Path, cache: str = "", resume: bool = False, **settings: Any
) -> dict[str, torch.Tensor]:
    request = Request(str(dataset), policy, feature_cache=cache, settings={**SETTINGS, **settings})
    run = begin(request, output).run(resume=resume)
    return load_file(run / "pretrained_model" / "model.safetensors")


@pytest.mark.parametrize("extra", [{}, {"dtype": "bfloat16"}, {"validation_share": 0.5, "noise_draws": 2}])
def test_training_from_the_cache_is_training_from_the_pictures(
    dataset: Path, policy: str, tmp_path: Path, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained(dataset, policy, tmp_path / "plain", **extra)
    cache = str(tmp_path / "cache")
    first = trained(dataset, policy, tmp_path / "first", cache, **extra)

    def decoded(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(Dataset, "images", decoded)
    again = trained(dataset, policy, tmp_path / "again", cache, **extra)
    further = trained(dataset, policy, tmp_path / "again", cache, resume=True, **{**extra, "steps": 4})
    tolerance = 2e-3 if "dtype" in extra else 2e-6
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, rtol=0, atol=tolerance, msg=name)
        torch.testing.assert_close(again[name], first[name], rtol=0, atol=0, msg=name)
    assert any(not torch.equal(further[name], again[name]) for name in again)


def test_a_fill_that_was_stopped_goes_on_where_it_was(
    dataset: Path, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fill(dataset, policy, tmp_path / "whole")
    monkeypatch.setattr(feature_filling, "ROWS_AT_A_TIME", 5)
    real, kept = FeatureCache.keep, []

    def stop(self: FeatureCache, rows: list[int], tokens: Any) -> None:
        if len(kept) == 2:
            raise KeyboardInterrupt
        kept.append(rows)
        real(self, rows, tokens)

    monkeypatch.setattr(FeatureCache, "keep", stop)
    with pytest.raises(KeyboardInterrupt):
        fill(dataset, policy, tmp_path / "cut")
    monkeypatch.setattr(FeatureCache, "keep", real)
    model = load_checkpoint(policy).model.model
    identity = identity_of(model, open_dataset(dataset), CAMERAS, "float32")
    assert FeatureCache(tmp_path / "cut", identity).missing.tolist() == list(range(10, sum(LENGTHS)))
    resumed = fill(dataset, policy, tmp_path / "cut")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=1e-5)


def test_tokens_of_something_else_are_refused(dataset: Path, policy: str, tmp_path: Path) -> None:
    fill(dataset, policy, tmp_path / "cache")
    longer = tmp_path / "longer"
    shutil.copytree(dataset, longer)
    write_here(longer, made_arrays(1, (8,)), "h264")
    with pytest.raises(TrainingError, match=r"dataset: expected .*, as of this run, found .*; name another folder"):
        fill(longer, policy, tmp_path / "cache")
    checkpoint = load_checkpoint(policy)
    with torch.no_grad():
        checkpoint.model.model.backbone.connector.modality_projection.proj.weight.add_(1e-3)
    save_checkpoint(checkpoint, tmp_path / "other")
    with pytest.raises(TrainingError, match=r"weights: expected .*, as of this run, found"):
        fill(dataset, str(tmp_path / "other"), tmp_path / "cache")
    with pytest.raises(TrainingError, match="dtype: expected bfloat16, as of this run, found float32"):
        fill(dataset, policy, tmp_path / "cache", dtype="bfloat16")
    with pytest.raises(TrainingError, match="expected image tokens, or a new or an empty folder, found other files"):
        fill(dataset, policy, Path(policy))


def test_it_stands_outside_the_dataset(dataset: Path, policy: str) -> None:
    with pytest.raises(TrainingError, match="--cache-features: expected a folder outside"):
        fill(dataset, policy, dataset / "tokens")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augment": True}, "with augment: expected pictures as they are"),
        ({"train": "all"}, "with train: expected expert or lora, found all"),
    ],
)
def test_what_would_change_the_tokens_is_refused(
    dataset: Path, policy: str, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        fill(dataset, policy, tmp_path / "cache", **settings)
    assert not (tmp_path / "cache").exists()


def test_several_processes_do_not_fill_it_together(
    dataset: Path, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="found 23 missing; begin the run with one process first"):
        fill(dataset, policy, tmp_path / "cache")


def fill(root: Path, policy: str, folder: Path, **settings: Any) -> dict[str, torch.Tensor]:
    told = TrainingSettings(**{**SETTINGS, **settings})
    samples = cached_samples(load_checkpoint(policy), open_dataset(root), CAMERAS, told, folder, "cpu", stream=None)
    arrays = samples.batch(range(len(samples)))
    assert not any(name in arrays for name in CAMERAS)
    return {name: torch.from_numpy(arrays[name]) for name in arrays if name.startswith("features.")}
