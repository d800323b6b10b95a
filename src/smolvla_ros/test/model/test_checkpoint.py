"""A checkpoint's folder: read as written, refused with a message that helps where it is not sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.compare_with_lerobot import batch_of, random_sample
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.weights import EMBEDDINGS, LM_HEAD

Q_PROJ = "model.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.weight"
STATE_FILE = "policy_preprocessor_step_5_normalizer_processor.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    return str(caught.value)


def test_what_is_saved_loads_to_the_same_numbers(saved: Path, tmp_path: Path) -> None:
    first = load_checkpoint(saved)
    save_checkpoint(first, tmp_path / "again")
    second = load_checkpoint(tmp_path / "again")
    sample = random_sample(first, seed=1)
    noise = torch.from_numpy(sample.noise)
    chunks = [c.model.predict_action_chunk(batch_of(c, sample), noise) for c in (first, second)]
    assert torch.equal(*chunks)
    assert second.config == first.config
    assert second.processors.rename_map == first.processors.rename_map


def test_the_same_seed_writes_the_same_files(saved: Path, tmp_path: Path) -> None:
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), tmp_path)
    for path in (path for path in saved.rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / path.relative_to(saved)).read_bytes(), path.name


def test_the_unused_head_is_not_loaded_but_kept_on_saving(folder: Path, tmp_path: Path) -> None:
    marked = torch.full_like(load_file(folder / "model.safetensors")[LM_HEAD], 0.25)
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors.update({LM_HEAD: marked}))
    checkpoint = load_checkpoint(folder)
    assert LM_HEAD not in checkpoint.model.state_dict()
    save_checkpoint(checkpoint, tmp_path / "again")
    assert torch.equal(load_file(tmp_path / "again" / "model.safetensors")[LM_HEAD], marked)


def test_weights_keep_the_types_of_the_file(folder: Path) -> None:
    """The published layout mixes bfloat16 with float32; chunks stay near those of float32."""
    checkpoint = load_checkpoint(folder)
    sample = random_sample(checkpoint, seed=2)
    noise = torch.from_numpy(sample.noise)
    exact = checkpoint.model.predict_action_chunk(batch_of(checkpoint, sample), noise)

    def publish(tensors: dict[str, torch.Tensor]) -> None:
        for name, tensor in tensors.items():
            crossing = any(f"layers.{i}.self_attn.{p}_proj" in name for i in (1, 3) for p in "kv")
            if "vlm_with_expert" in name and not ("lm_expert" in name and crossing):
                tensors[name] = tensor.bfloat16()

    edit_tensors(folder / "model.safetensors", publish)
    mixed = load_checkpoint(folder)
    stored = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32, torch.bfloat16}
    assert all(tensor.dtype == stored[name].dtype for name, tensor in mixed.model.state_dict().items())
    chunk = mixed.model.predict_action_chunk(batch_of(mixed, sample), noise)
    assert chunk.dtype == torch.float32
    difference = (chunk - exact).abs().mean() / exact.abs().mean()
    assert 1e-6 < difference < 0.03


def test_fields_unknown_to_us_are_read_over_and_written_back(folder: Path, tmp_path: Path) -> None:
    edit_json(folder / "config.json", lambda config: config.update({"optimizer_lr": 1e-4, "from_the_future": [1]}))
    edit_json(folder / "config.json", lambda config: config.pop("min_period"))
    save_checkpoint(load_checkpoint(folder), tmp_path / "again")
    written = json.loads((tmp_path / "again" / "config.json").read_text())
    assert (written["optimizer_lr"], written["from_the_future"], written["min_period"]) == (1e-4, [1], 4e-3)


def test_state_files_are_found_by_the_json_whatever_they_are_called(folder: Path) -> None:
    (folder / STATE_FILE).rename(folder / "old_name.safetensors")

    def rename(pre: dict[str, Any]) -> None:
        pre["steps"][-1]["state_file"] = "old_name.safetensors"
        pre["steps"].reverse()

    edit_json(folder / "policy_preprocessor.json", rename)
    assert load_checkpoint(folder).processors.newline


def test_missing_tensor_is_named(folder: Path) -> None:
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors.pop(Q_PROJ))
    assert f"1 missing: {Q_PROJ}" in refusal(folder)


def test_foreign_tensor_is_named(folder: Path) -> None:
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors.update({"model.surplus": torch.ones(2)}))
    assert "1 not of this model: model.surplus" in refusal(folder)


def test_wrong_shape_names_expected_and_found(folder: Path) -> None:
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors.update({Q_PROJ: torch.ones(64, 47)}))
    message = refusal(folder)
    assert Q_PROJ in message
    assert "expected shape [64, 48], found [64, 47]" in message


def test_weights_that_are_not_finite_are_named(folder: Path) -> None:
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors[EMBEDDINGS][3].fill_(float("nan")))
    assert "expected finite numbers, found NaN" in refusal(folder)


def test_integer_weights_are_refused(folder: Path) -> None:
    edit_tensors(folder / "model.safetensors", lambda tensors: tensors.update({Q_PROJ: tensors[Q_PROJ].to(torch.int8)}))
    assert "expected float32, bfloat16 or float16, found int8" in refusal(folder)


@pytest.mark.parametrize("keep", [0, 7, 1000, -10], ids=["empty", "stub", "half a header", "last bytes lost"])
def test_truncated_weights_are_refused(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    message = refusal(folder)
    assert "model.safetensors" in message
    assert "copy it again" in message


def test_a_pickle_in_place_of_weights_is_refused(folder: Path) -> None:
    torch.save({"weights": torch.ones(3)}, folder / "model.safetensors")
    assert "expected a whole safetensors file" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "policy_preprocessor.json", STATE_FILE, "backbone/tokenizer.json"]
)
def test_a_file_that_is_not_there_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert Path(name).name in refusal(folder)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("type", "act", "expected smolvla, found act"),
        ("chunk_size", "50", "chunk_size: expected a value of type int, found '50'"),
        ("chunk_size", 0, "chunk_size: expected a whole number above 0, found 0"),
        ("n_action_steps", 51, "expected at most chunk_size 50, found 51"),
        ("max_action_dim", 4, "feature action: expected a shape of one number from 1 to 4, found [6]"),
        ("vlm_model_name", "somebody/unknown", "vlm_model_name: expected a folder with a config.json"),
        ("resize_imgs_with_padding", [512, 512], "expected a multiple of 32 up to 64, found 512"),
        ("num_expert_layers", 3, "num_expert_layers: expected a divisor of num_vlm_layers 4, found 3"),
        ("num_expert_layers", 2, "self_attn_every_n_layers: expected"),
        ("normalization_mapping", {"STATE": "LOG"}, "normalization_mapping.STATE: expected one of"),
        ("adapt_to_pi_aloha", True, "adapt_to_pi_aloha: expected false"),
        ("input_features", {}, "feature observation.state"),
    ],
)
def test_wrong_config_names_field_expected_and_found(folder: Path, field: str, value: object, expected: str) -> None:
    edit_json(folder / "config.json", lambda config: config.update({field: value}))
    assert expected in refusal(folder)


@pytest.mark.parametrize(
    ("section", "field", "value", "expected"),
    [
        ("text_config", "hidden_size", None, "text_config: missing: hidden_size"),
        ("text_config", "num_key_value_heads", 3, "num_key_value_heads: expected a divisor of num_attention_heads 4"),
        ("text_config", "attention_bias", True, "text_config.attention_bias: expected false"),
        ("vision_config", "num_attention_heads", 7, "num_attention_heads: expected a divisor of hidden_size 48"),
        ("vision_config", "patch_size", 0, "vision_config.patch_size: expected a number above 0, found 0"),
    ],
)
def test_wrong_backbone_names_field_expected_and_found(
    folder: Path, section: str, field: str, value: object, expected: str
) -> None:
    def change(config: dict[str, Any]) -> None:
        config[section].pop(field, None)
        if value is not None:
            config[section][field] = value

    edit_json(folder / "backbone" / "config.json", change)
    assert expected in refusal(folder)


@pytest.mark.parametrize("file", ["config.json", "backbone/config.json", "policy_preprocessor.json"])
def test_no_wrong_field_ends_in_another_error(folder: Path, file: str) -> None:
    """Every field of every file in turn replaced by what it must not be: loaded all the same, or refused."""
    path = folder / file
    original, refused = path.read_text(), 0
    for keys in list(leaves(json.loads(original))):
        for wrong in (None, "wrong", -1, 2.5, [], {}, [None], {"wrong": None}):
            value = json.loads(original)
            place = value
            for key in keys[:-1]:
                place = place[key]
            place[keys[-1]] = wrong
            path.write_text(json.dumps(value))
            try:
                load_checkpoint(folder)
            except CheckpointError:
                refused += 1
    assert refused > 20


def leaves(value: Any) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside nested mappings and lists, containers included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (key,)
        for path in leaves(child):
            yield (key, *path)


def test_statistics_under_another_name_are_refused_with_the_ways_out(folder: Path) -> None:
    """smolvla_base holds `so100.buffer.action` only; LeRobot then runs the arm on raw model outputs."""
    for path in folder.glob("policy_*.safetensors"):
        stats = {f"so100.buffer.{name}": value for name, value in load_file(path).items() if name.startswith("action")}
        save_file(stats, path)
    message = refusal(folder)
    assert "expected the statistics observation.state.mean" in message
    assert "so100.buffer.action.mean" in message
    assert "fine-tune it on a dataset of this arm" in message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("observation.state.std", torch.zeros(6), "values above 0"),
        ("observation.state.mean", torch.full((6,), torch.inf), "expected finite values"),
        ("observation.state.mean", torch.zeros(7), "expected 6 values, found shape [7]"),
    ],
)
def test_statistics_that_cannot_be_used_are_refused(
    folder: Path, name: str, value: torch.Tensor, expected: str
) -> None:
    edit_tensors(folder / STATE_FILE, lambda tensors: tensors.update({name: value}))
    message = refusal(folder)
    assert name in message
    assert expected in message


def test_an_unknown_processor_step_is_refused(folder: Path) -> None:
    step = {"registry_name": "isaaclab_arena_processor", "config": {}}
    edit_json(folder / "policy_preprocessor.json", lambda pre: pre["steps"].append(step))
    assert "isaaclab_arena_processor" in refusal(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    def grow(tokenizer: dict[str, Any]) -> None:
        tokenizer["model"]["vocab"] = {**tokenizer["model"]["vocab"], "zzzz": 50000}

    edit_json(folder / "backbone" / "tokenizer.json", grow)
    assert "expected token ids below" in refusal(folder)
