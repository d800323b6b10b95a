"""Inspection: what a checkpoint is, from headers alone, and every fault of it at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from checkpoint_variants import (
    Q_PROJ,
    WEIGHTS,
    compile_names,
    edit_json,
    low_rank,
    put_statistics_among_weights,
    rename_statistics,
    shard,
    write_adapter,
)
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import tensor_file
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.inspection import Inspection, inspect_checkpoint
from smolvla_ros.model.random_checkpoint import random_checkpoint


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def problems(inspection: Inspection) -> dict[str, str]:
    return {check.name: check.problem for check in inspection.checks if not check.fits}


def test_a_sound_checkpoint_has_no_problems_and_its_own_figures(saved: Path) -> None:
    inspection, model = inspect_checkpoint(saved), load_checkpoint(saved).model
    facts = inspection.facts
    assert problems(inspection) == {}
    assert facts["parameters_used"] == sum(p.numel() for p in model.parameters())
    assert facts["parameters_by_type"] == {"float32": facts["parameters"]}
    assert (facts["vlm_layers"], facts["expert_layers"], facts["vision_layers"]) == (4, 4, 2)
    assert (facts["tokens_per_camera"], facts["chunk_size"], facts["denoise_steps"]) == (4, 50, 10)
    assert facts["cameras"] == ["observation.images.top", "observation.images.wrist"]
    json.dumps(facts)


def test_no_weight_is_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = tensor_file.safe_open
    monkeypatch.setattr(tensor_file, "safe_open", lambda path, **kw: opened.append(Path(path).name) or real(path, **kw))
    inspect_checkpoint(saved)
    assert opened
    assert WEIGHTS not in opened


def test_an_old_checkpoint_is_described_as_stored(folder: Path) -> None:
    put_statistics_among_weights(folder)
    compile_names(folder)
    shard(folder)
    inspection = inspect_checkpoint(folder)
    assert problems(inspection) == {}
    assert inspection.facts["layout"] == [
        "3 shards",
        "names of a compiled training run",
        "statistics among the weights (LeRobot before 0.4)",
    ]


def test_an_adapter_is_described_with_its_base(saved: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", str(saved), low_rank(Q_PROJ, 64, 48))
    inspection = inspect_checkpoint(adapter)
    assert problems(inspection) == {}
    assert inspection.facts["adapter"] == {"base": str(saved), "rank": 2, "low_rank_tensors": 1, "whole_tensors": 0}


def test_every_fault_is_told_at_once(folder: Path) -> None:
    rename_statistics(folder, "so100", ("action",))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-1])
    (folder / "backbone" / "tokenizer.json").unlink()
    found = problems(inspect_checkpoint(folder))
    assert set(found) == {"weights", "statistics of observation.state", "statistics of action", "tokenizer"}
    assert all(";" in problem for problem in found.values())


def test_an_adapter_of_another_base_is_told(saved: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", str(saved), low_rank(Q_PROJ, 64, 47))
    assert "another base" in problems(inspect_checkpoint(adapter))["adapter"]


def test_an_unknown_backbone_hides_no_other_fault(folder: Path) -> None:
    edit_json(folder / "config.json", vlm_model_name="unknown")
    assert set(problems(inspect_checkpoint(folder))) == {"backbone", "weights", "tokenizer"}


def test_without_a_config_there_is_nothing_to_inspect(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json: expected a file"):
        inspect_checkpoint(folder)
