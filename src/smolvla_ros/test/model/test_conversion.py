"""Conversion: the same policy in the present layout, whole or not there at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from checkpoint_variants import (
    Q_PROJ,
    compile_names,
    edit_json,
    low_rank,
    put_statistics_among_weights,
    shard,
    write_adapter,
)
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import conversion
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from smolvla_ros.model.compare_with_lerobot import batch_of, random_sample
from smolvla_ros.model.conversion import convert_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    (folder / "embodiment.yaml").write_bytes(load_embodiment().path.read_bytes())
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "source"))


def chunk(folder: Path) -> torch.Tensor:
    checkpoint = load_checkpoint(folder)
    sample = random_sample(checkpoint, seed=1)
    return checkpoint.model.predict_action_chunk(batch_of(checkpoint, sample), torch.from_numpy(sample.noise))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_old_layout_shards_and_compiled_names_become_the_present_layout(
    saved: Path, folder: Path, tmp_path: Path
) -> None:
    put_statistics_among_weights(folder)
    compile_names(folder)
    shard(folder)
    done = convert_checkpoint(folder, tmp_path / "target")
    assert files(tmp_path / "target") == files(saved)
    torch.testing.assert_close(chunk(tmp_path / "target"), chunk(saved))
    assert done.found == [
        "3 shards",
        "names of a compiled training run",
        "statistics among the weights (LeRobot before 0.4)",
    ]


def test_an_adapter_becomes_a_checkpoint_that_needs_no_base(folder: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", "../source", low_rank(Q_PROJ, 64, 48))
    expected = chunk(adapter)
    convert_checkpoint(adapter, tmp_path / "target")
    shutil.rmtree(folder)
    torch.testing.assert_close(chunk(tmp_path / "target"), expected)
    assert not (tmp_path / "target" / "adapter_config.json").exists()


def test_a_backbone_elsewhere_on_the_host_comes_into_the_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "backbone").rename(tmp_path / "elsewhere")
    edit_json(folder / "config.json", vlm_model_name=str(tmp_path / "elsewhere"))
    convert_checkpoint(folder, tmp_path / "target")
    shutil.rmtree(tmp_path / "elsewhere")
    assert load_checkpoint(tmp_path / "target").config.vlm_model_name == "backbone"


def test_the_type_asked_for_is_that_of_the_file(folder: Path, tmp_path: Path) -> None:
    whole, half = (convert_checkpoint(folder, tmp_path / dtype, dtype=dtype).bytes for dtype in ("float32", "bfloat16"))
    assert {t.dtype for t in load_checkpoint(tmp_path / "bfloat16").model.state_dict().values()} == {torch.bfloat16}
    assert half < 0.6 * whole


def test_a_failure_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(checkpoint: Checkpoint, target: Path) -> None:
        save_checkpoint(checkpoint, target)
        raise OSError("no space left on device")

    monkeypatch.setattr(conversion, "save_checkpoint", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="no space left"):
        convert_checkpoint(folder, tmp_path / "target")
    assert sorted(tmp_path.iterdir()) == before


def test_a_failure_leaves_the_old_target_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Path(shutil.copytree(folder, tmp_path / "target"))
    (target / "note").write_text("old")
    monkeypatch.setattr(conversion, "save_checkpoint", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        convert_checkpoint(folder, target, force=True)
    assert (target / "note").read_text() == "old"


def test_a_folder_with_files_is_replaced_only_by_force(folder: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(folder, tmp_path / "target"))
    (target / "note").write_text("old")
    with pytest.raises(CheckpointError, match=r"expected a new or an empty folder, found files; .* --force"):
        convert_checkpoint(folder, target)
    convert_checkpoint(folder, target, force=True)
    assert files(target) == files(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_not_even_force_replaces_what_is_no_checkpoint(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("precious")
    with pytest.raises(CheckpointError, match="expected a checkpoint to replace"):
        convert_checkpoint(folder, tmp_path / "home", force=True)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "precious"


def test_a_checkpoint_can_be_converted_in_place(folder: Path) -> None:
    expected = chunk(folder)
    shard(folder)
    convert_checkpoint(folder, folder, force=True)
    assert not list(folder.glob("model-*"))
    torch.testing.assert_close(chunk(folder), expected)
