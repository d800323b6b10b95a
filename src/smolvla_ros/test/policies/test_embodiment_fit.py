"""Statistics of another zero are told from those of another unit, each robot question answered on its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import save_checkpoint
from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.inspection import inspect_checkpoint
from smolvla_ros.model.normalization import Normalizer
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.embodiment_fit import check_feature, fit_checks
from smolvla_ros.policies.interface import EmbodimentMismatch

# of the public base checkpoint, rounded: its three sets of SO-100 data
OLD_ZERO = {
    "so100": ([1.60, 119.94, 109.77, 56.71, -27.42, 12.00], [26.39, 52.41, 49.85, 37.00, 59.36, 19.04]),
    "so100-blue": ([1.42, 125.72, 125.42, 63.78, -106.54, 3.35], [14.08, 39.43, 18.24, 23.49, 38.11, 5.05]),
    "so100-red": ([2.44, 124.94, 123.56, 66.99, -103.88, 2.89], [14.30, 42.77, 18.88, 21.65, 33.53, 4.48]),
}


def normalizer(mean: list[float], std: list[float]) -> Normalizer:
    return Normalizer("MEAN_STD", torch.tensor(mean), torch.tensor(std))


@pytest.mark.parametrize("name", OLD_ZERO)
def test_the_zero_of_before_june_2025_is_named(name: str) -> None:
    with pytest.raises(EmbodimentMismatch, match=r"before June 2025 .* in today's degrees the values fit"):
        check_feature(ACTION, normalizer(*OLD_ZERO[name]), load_embodiment())


@pytest.mark.parametrize("name", OLD_ZERO)
def test_the_same_data_in_todays_degrees_fit(name: str) -> None:
    mean, std = OLD_ZERO[name]
    mean = [mean[0], -(mean[1] - 90), mean[2] - 90, *mean[3:]]
    check_feature(ACTION, normalizer(mean, std), load_embodiment())


def test_values_that_fit_neither_way_are_not_called_old() -> None:
    with pytest.raises(EmbodimentMismatch, match="another zero or unit"):
        check_feature(STATE, normalizer([0.0, 0.0, 300.0, 0.0, 0.0, 50.0], [10.0] * 6), load_embodiment())


def test_each_question_is_answered_whatever_the_others_say(tmp_path: Path) -> None:
    robot = load_embodiment()
    save_checkpoint(random_checkpoint(robot, "tiny", seed=3), tmp_path)
    (tmp_path / "embodiment.yaml").write_bytes(robot.path.read_bytes())
    path = next(tmp_path.glob("policy_pre*.safetensors"))
    mean, std = OLD_ZERO["so100"]
    save_file(load_file(path) | {f"{STATE}.mean": torch.tensor(mean), f"{STATE}.std": torch.tensor(std)}, path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace("observation.images.top", "observation.images.camera1"))
    checks = {check.name: check.fits for check in fit_checks(inspect_checkpoint(tmp_path), robot)}
    assert checks == {"cameras": False, "joints": True, f"values of {STATE}": False, f"values of {ACTION}": True}
