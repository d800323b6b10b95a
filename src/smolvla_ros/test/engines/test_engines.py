"""Every engine gives what the model gives: same weights, same noise, the same chunk within its own precision."""

from __future__ import annotations

from copy import deepcopy

import golden_twins as twins
import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines import choice
from smolvla_ros.engines.choice import ENGINES, choose
from smolvla_ros.engines.cpu_kernels import library
from smolvla_ros.engines.errors import EngineError
from smolvla_ros.model.config import BackboneConfig, SmolVLAConfig
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.smolvla import SmolVLA

FLOAT32_TOLERANCE = 1e-5
# Mean error over the actions' spread. In a model of width 48 with unit-gain weights little averages out.
COARSE = {"cpu-bf16": 0.02, "cpu-int8": 0.05}


@pytest.fixture(params=["kernels", "torch"])
def with_and_without_kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "torch":
        monkeypatch.setattr(library, "_supported", set())


def model_of(twin: twins.Twin) -> SmolVLA:
    config = SmolVLAConfig.from_json(twins.config_of(twin), "config.json")
    model = SmolVLA(config, BackboneConfig.from_json(twins.backbone_of(twin), "backbone/config.json")).eval()
    model.model.image_token_ids = twins.IMAGE_TOKEN_IDS
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(twins.weight(name, tuple(parameter.shape))))
    return model.requires_grad_(False)


def batch_of(twin: twins.Twin) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in twins.inputs_of(twin).items()}


PLAIN = [twin for twin in twins.TWINS if not twin.published_types]


@pytest.mark.usefixtures("with_and_without_kernels")
@pytest.mark.parametrize("twin", PLAIN, ids=lambda twin: twin.name)
def test_float32_engine_equals_the_model(twin: twins.Twin) -> None:
    model, batch = model_of(twin), batch_of(twin)
    expected = model.predict_action_chunk(batch, batch["noise"])
    ENGINES["cpu-fp32"].prepare(model)
    found = model.predict_action_chunk(batch, batch["noise"])
    torch.testing.assert_close(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)


@pytest.mark.usefixtures("with_and_without_kernels")
@pytest.mark.parametrize("name", COARSE)
@pytest.mark.parametrize("twin", PLAIN[:8], ids=lambda twin: twin.name)
def test_coarser_engines_stay_within_their_precision(name: str, twin: twins.Twin) -> None:
    model, batch = model_of(twin), batch_of(twin)
    expected = model.predict_action_chunk(batch, batch["noise"])
    ENGINES[name].prepare(model)
    found = model.predict_action_chunk(batch, batch["noise"])
    assert (found - expected).abs().mean() / expected.std() < COARSE[name]


def test_a_mean_that_all_rows_share_costs_int8_nothing() -> None:
    from smolvla_ros.engines.quantised_linear import QuantisedLinear
    from smolvla_ros.engines.rows import Rows

    generator = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(64, 32)
    linear.weight.data = torch.randn(32, 64, generator=generator).bfloat16().float()
    common, own = torch.randn(64, generator=generator), torch.randn(40, 64, generator=generator)
    quantised = QuantisedLinear([linear], rows=40)

    def errors(x: torch.Tensor) -> tuple[float, float]:
        """Mean errors: the layer's, and that of rounding the exact result to bfloat16, as the layer does in the end."""
        exact = torch.nn.functional.linear(x, linear.weight, linear.bias).detach()
        found = quantised(Rows(x)).values.float()
        return (found - exact).abs().mean().item(), (exact.bfloat16().float() - exact).abs().mean().item()

    with_common, rounding = errors(100 * common + own)
    assert with_common < rounding + 1.2 * errors(own)[0]


def test_prepared_models_share_nothing_with_their_source() -> None:
    twin = PLAIN[0]
    model, batch = model_of(twin), batch_of(twin)
    prepared = deepcopy(model)
    expected = model.predict_action_chunk(batch, batch["noise"])
    ENGINES["cpu-int8"].prepare(prepared)
    assert torch.equal(model.predict_action_chunk(batch, batch["noise"]), expected)


def test_auto_is_never_less_exact_than_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = random_checkpoint(load_embodiment(), "tiny")
    monkeypatch.setattr(choice, "multiplies_bfloat16", lambda: True)
    assert choose("auto", "cpu", checkpoint.model).name == "cpu-fp32"
    assert choose("auto", "cpu", checkpoint.model.bfloat16()).name == "cpu-bf16"
    monkeypatch.setattr(choice, "multiplies_bfloat16", lambda: False)
    assert choose("auto", "cpu", checkpoint.model).name == "cpu-fp32"
    assert choose("auto", "cuda:1", checkpoint.model).name == "torch"


@pytest.mark.parametrize(("name", "device"), [("tensorrt", "cpu"), ("cpu-int8", "cuda")])
def test_an_engine_that_does_not_run_here_is_told_with_those_that_do(name: str, device: str) -> None:
    checkpoint = random_checkpoint(load_embodiment(), "tiny")
    with pytest.raises(
        EngineError, match=rf"engine: expected auto or one of torch.* on device {device}, found '{name}'"
    ):
        choose(name, device, checkpoint.model)
