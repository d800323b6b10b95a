"""LoRA adapters: merged as PEFT merges, refused by the name of what is not supported."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from checkpoint_variants import Q_PROJ, STATE_PROJ, WEIGHTS, edit_json, low_rank, write_adapter
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.random_checkpoint import random_checkpoint

Q_SHAPE = (64, 48)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases") / "base"
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), folder)
    return folder


def merged(adapter: Path, name: str = Q_PROJ) -> torch.Tensor:
    return load_checkpoint(adapter).model.state_dict()[name]


def change(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    a, b = tensors.values()
    return b @ a


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, 6 / 2),
        ({"use_rslora": True}, 6 / math.sqrt(2)),
        ({"alpha_pattern": {r"layers\.0\.self_attn\.q_proj": 1}}, 1 / 2),
        ({"r": 8, "rank_pattern": {"q_proj": 2}}, 6 / 2),
    ],
    ids=["plain", "rank-stabilised", "alpha of one module", "rank of one module"],
)
def test_the_change_is_scaled_as_the_settings_say(
    base: Path, tmp_path: Path, settings: dict[str, object], scale: float
) -> None:
    tensors = low_rank(Q_PROJ, *Q_SHAPE)
    adapter = write_adapter(tmp_path / "adapter", str(base), tensors, **settings)
    expected = load_file(base / WEIGHTS)[Q_PROJ] + scale * change(tensors)
    torch.testing.assert_close(merged(adapter), expected)


def test_the_merge_is_computed_in_float32_and_keeps_the_type_of_the_base(base: Path, tmp_path: Path) -> None:
    low = Path(shutil.copytree(base, tmp_path / "low"))
    save_file({n: t.bfloat16() for n, t in load_file(low / WEIGHTS).items()}, low / WEIGHTS)
    tensors = low_rank(Q_PROJ, *Q_SHAPE)
    found = merged(write_adapter(tmp_path / "adapter", str(low), tensors))
    assert torch.equal(found, (load_file(low / WEIGHTS)[Q_PROJ].float() + 3 * change(tensors)).bfloat16())


@pytest.mark.parametrize("infix", ["", ".modules_to_save", ".modules_to_save.default"])
def test_modules_trained_whole_replace_those_of_the_base(base: Path, tmp_path: Path, infix: str) -> None:
    whole = torch.full_like(load_file(base / WEIGHTS)[STATE_PROJ], 0.5)
    key = f"base_model.model.{STATE_PROJ.removesuffix('.weight')}{infix}.weight"
    adapter = write_adapter(tmp_path / "adapter", str(base), {key: whole})
    assert torch.equal(merged(adapter, STATE_PROJ), whole)


def test_a_base_beside_the_adapter_is_found_by_its_relative_path(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "base")
    write_adapter(tmp_path / "adapter", "../base", low_rank(Q_PROJ, *Q_SHAPE))
    assert load_checkpoint(tmp_path / "adapter").path == tmp_path / "adapter"


def test_settings_and_statistics_of_the_adapter_go_over_those_of_the_base(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", str(base), low_rank(Q_PROJ, *Q_SHAPE))
    for path in [*base.glob("policy_*"), base / "config.json"]:
        shutil.copy(path, adapter)
    edit_json(adapter / "config.json", num_steps=3, use_peft=True)
    state_file = next(adapter.glob("policy_postprocessor*.safetensors"))
    save_file({n: t + 1 for n, t in load_file(state_file).items()}, state_file)
    checkpoint, original = load_checkpoint(adapter), load_checkpoint(base)
    assert (checkpoint.config.num_steps, original.config.num_steps) == (3, 10)
    torch.testing.assert_close(checkpoint.processors.action.first, original.processors.action.first + 1)
    save_checkpoint(checkpoint, tmp_path / "merged")
    again = load_checkpoint(tmp_path / "merged")
    assert again.config.raw["use_peft"] is False
    assert torch.equal(again.model.state_dict()[Q_PROJ], checkpoint.model.state_dict()[Q_PROJ])


def refusal(adapter: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(adapter)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("use_dora", True, "use_dora: expected none, found True"),
        ("bias", "lora_only", "bias: expected none, found lora_only"),
        ("peft_type", "LOHA", "peft_type: expected LORA, found LOHA"),
        ("init_lora_weights", "pissa_niter_4", "init_lora_weights: expected a start that leaves the base as it is"),
        ("trainable_token_indices", [3], "trainable_token_indices: expected none"),
        ("r", 3, "expected matrices of rank 3, as r in adapter_config.json says, found A [2, 48], B [64, 2]"),
        ("r", "many", "r: expected a number above 0, found many"),
        ("lora_alpha", None, "lora_alpha: expected a number above 0, found None"),
        ("alpha_pattern", {"(": 1}, "alpha_pattern: expected regular expressions"),
        ("base_model_name_or_path", None, "base_model_name_or_path: expected a base checkpoint, found None"),
        ("base_model_name_or_path", "/no/such/base", "the base of this adapter: /no/such/base"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    base: Path, tmp_path: Path, field: str, value: object, expected: str
) -> None:
    adapter = write_adapter(tmp_path / "adapter", str(base), low_rank(Q_PROJ, *Q_SHAPE))
    edit_json(adapter / "adapter_config.json", **{field: value})
    message = refusal(adapter)
    assert expected in message
    assert ";" in message


def test_an_adapter_of_a_base_with_other_tensors_is_refused(base: Path, tmp_path: Path) -> None:
    name = Q_PROJ.replace("layers.0", "layers.9")
    message = refusal(write_adapter(tmp_path / "adapter", str(base), low_rank(name, *Q_SHAPE)))
    assert f"1 not of it: {name}" in message
    assert "trained on another base" in message


def test_an_adapter_of_a_base_of_another_size_is_refused(base: Path, tmp_path: Path) -> None:
    message = refusal(write_adapter(tmp_path / "adapter", str(base), low_rank(Q_PROJ, 64, 50)))
    assert "expected shape [64, 48], found [64, 50]" in message
    assert "trained on another base" in message


def test_half_an_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    only_a = dict(list(low_rank(Q_PROJ, *Q_SHAPE).items())[:1])
    assert "expected lora_A and lora_B, found one of them" in refusal(write_adapter(tmp_path / "a", str(base), only_a))


def test_magnitudes_of_another_variant_are_refused(base: Path, tmp_path: Path) -> None:
    key = f"base_model.model.{Q_PROJ.removesuffix('.weight')}.lora_magnitude_vector.weight"
    tensors = {**low_rank(Q_PROJ, *Q_SHAPE), key: torch.ones(64)}
    assert "lora_magnitude_vector" in refusal(write_adapter(tmp_path / "a", str(base), tensors))


def test_an_adapter_with_a_number_that_is_none_is_refused(base: Path, tmp_path: Path) -> None:
    tensors = low_rank(Q_PROJ, *Q_SHAPE)
    next(iter(tensors.values()))[0, 0] = math.nan
    assert "expected finite numbers" in refusal(write_adapter(tmp_path / "a", str(base), tensors))


def test_an_adapter_without_its_weights_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", str(base), low_rank(Q_PROJ, *Q_SHAPE))
    (adapter / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors: expected a file, found none" in refusal(adapter)
