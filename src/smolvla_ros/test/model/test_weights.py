"""Weights in shards and by the names of other versions; read by header first, so that what is broken is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from checkpoint_variants import Q_PROJ, WEIGHTS, compile_names, edit_json, put_statistics_among_weights, shard
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.tensor_file import read_headers
from smolvla_ros.model.weights import LM_HEAD

INDEX = "model.safetensors.index.json"
SECOND_SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def same_model(a: Path, b: Path) -> bool:
    first, second = (load_checkpoint(folder).model.state_dict() for folder in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_shards_load_as_the_one_file_does(saved: Path, folder: Path) -> None:
    shard(folder)
    assert same_model(saved, folder)


def test_names_of_a_compiled_run_load_as_plain_ones(saved: Path, folder: Path) -> None:
    compile_names(folder)
    assert same_model(saved, folder)


def test_everything_old_at_once_is_saved_in_the_present_layout(saved: Path, folder: Path, tmp_path: Path) -> None:
    put_statistics_among_weights(folder)
    compile_names(folder)
    shard(folder)
    save_checkpoint(load_checkpoint(folder), tmp_path / "new")
    assert same_model(saved, tmp_path / "new")
    assert load_file(tmp_path / "new" / WEIGHTS).keys() == load_file(saved / WEIGHTS).keys()
    assert (tmp_path / "new" / "policy_preprocessor.json").exists()
    lm_heads = [load_file(f / WEIGHTS)[LM_HEAD] for f in (saved, tmp_path / "new")]
    assert torch.equal(*lm_heads)


def test_a_file_without_the_unused_head_loads(saved: Path, folder: Path) -> None:
    save_file({n: t for n, t in load_file(folder / WEIGHTS).items() if n != LM_HEAD}, folder / WEIGHTS)
    assert same_model(saved, folder)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_all_weights_take_the_type_asked_for(folder: Path, dtype: str) -> None:
    model = load_checkpoint(folder, dtype=dtype).model
    assert {str(tensor.dtype) for tensor in model.state_dict().values()} == {f"torch.{dtype}"}


def test_an_unknown_type_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="dtype: expected float32, bfloat16, float16, found int4"):
        load_checkpoint(folder, dtype="int4")


def test_a_file_of_float16_keeps_it(folder: Path) -> None:
    save_file({name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS)
    assert {t.dtype for t in load_checkpoint(folder).model.state_dict().values()} == {torch.float16}


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    return str(caught.value)


def test_a_missing_shard_is_named(folder: Path) -> None:
    shard(folder)
    (folder / SECOND_SHARD).unlink()
    assert f"{SECOND_SHARD}: expected a file, found none" in refusal(folder)


def test_a_shard_cut_short_is_named(folder: Path) -> None:
    shard(folder)
    whole = (folder / SECOND_SHARD).read_bytes()
    (folder / SECOND_SHARD).write_bytes(whole[:-100])
    message = refusal(folder)
    assert SECOND_SHARD in message
    assert "found" in message
    assert "copy it again" in message


def test_a_shard_without_a_tensor_of_the_index_is_named(folder: Path) -> None:
    shard(folder)
    index = json.loads((folder / INDEX).read_text())
    file = index["weight_map"][Q_PROJ]
    save_file({n: t for n, t in load_file(folder / file).items() if n != Q_PROJ}, folder / file)
    assert f"expected the tensor {Q_PROJ}" in refusal(folder)


@pytest.mark.parametrize("weight_map", [None, [], {"a": 3}, {"a": "../elsewhere.safetensors"}])
def test_an_index_that_names_no_files_beside_it_is_refused(folder: Path, weight_map: object) -> None:
    shard(folder)
    edit_json(folder / INDEX, weight_map=weight_map)
    assert "weight_map: expected a mapping of tensors to files beside it" in refusal(folder)


def test_one_tensor_under_two_names_is_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[Q_PROJ.replace("model.", "model._orig_mod.", 1)] = tensors[Q_PROJ].clone()
    save_file(tensors, folder / WEIGHTS)
    assert f"{Q_PROJ}: expected one tensor, found both" in refusal(folder)


def test_who_may_read_one_file_of_a_checkpoint_may_read_all(saved: Path) -> None:
    permissions = {file.stat().st_mode for file in saved.rglob("*") if file.is_file()}
    assert len(permissions) == 1


def test_headers_agree_with_the_tensors(saved: Path) -> None:
    tensors, headers = load_file(saved / WEIGHTS), read_headers(saved / WEIGHTS)
    assert {n: (tuple(t.shape), str(t.dtype)) for n, t in tensors.items()} == {
        n: (h.shape, f"torch.{h.dtype}") for n, h in headers.items()
    }


def test_no_damage_to_a_file_ends_in_another_error(folder: Path) -> None:
    """Single bytes of the header flipped in turn: read all the same, or refused."""
    path = folder / WEIGHTS
    whole, refused = path.read_bytes(), 0
    for position in range(0, 2000, 31):
        damaged = bytearray(whole)
        damaged[position] ^= 0x15
        path.write_bytes(damaged)
        try:
            load_checkpoint(folder)
        except CheckpointError:
            refused += 1
    assert refused > 30
