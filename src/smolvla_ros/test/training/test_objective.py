"""The loss is LeRobot's, whichever way the prefix is read; golden_smolvla.npz holds what LeRobot found."""

from __future__ import annotations

from pathlib import Path

import golden_twins as twins
import numpy as np
import pytest
import torch
from smolvla_ros.engines.packed_linear import has_onednn
from smolvla_ros.engines.training import training_layers
from smolvla_ros.training.draws import Draws, draw
from smolvla_ros.training.objective import Objective
from twin_policy import batch_of, policy_of, twin_named

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "golden_smolvla.npz")
WITH_LOSS = [twin.name for twin in twins.TWINS if twin.loss]


def mean_loss(objective: Objective, batch: dict[str, torch.Tensor], draws: Draws) -> torch.Tensor:
    return objective(batch, draws)[0] / objective.elements(batch, draws)


def one_draw(batch: dict[str, torch.Tensor]) -> Draws:
    noise, time = batch.pop("noise"), batch.pop("time")
    return Draws(noise[:, None], time[:, None], torch.zeros(len(time), 1, dtype=torch.int64))


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("name", WITH_LOSS)
def test_the_loss_is_lerobots(name: str, frozen: bool) -> None:
    twin = twin_named(name)
    policy, batch = policy_of(twin), batch_of(twin)
    policy.model.backbone.requires_grad_(not frozen)
    loss = mean_loss(Objective(policy), batch, one_draw(batch))
    assert loss.item() == pytest.approx(float(GOLDEN[f"{name}.loss"]), abs=1e-5)


def test_gradients_do_not_depend_on_how_the_prefix_is_read() -> None:
    twin = twin_named("batch_of_three")
    found = []
    for frozen in (True, False):
        policy, batch = policy_of(twin), batch_of(twin)
        policy.model.backbone.requires_grad_(not frozen)
        mean_loss(Objective(policy), batch, one_draw(batch)).backward()
        found.append({name: p.grad for name, p in policy.named_parameters() if ".vlm." not in name})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-6, msg=name)
    assert float(found[0]["model.state_proj.weight"].abs().max()) > 1e-4


def test_several_noises_on_one_prefix_are_the_mean_of_each_alone() -> None:
    twin = twin_named("batch_of_two", rtc_training_max_delay=5)
    policy, batch = policy_of(twin), batch_of(twin)
    del batch["noise"], batch["time"], batch["action_is_pad"]
    drawn = draw(policy.config, 2, 3, seed=0, step=0)
    drawn = Draws(drawn.noise, drawn.time, torch.tensor([[0, 0, 0], [2, 2, 2]]))
    objective = Objective(policy)
    alone = [
        mean_loss(objective, batch, Draws(drawn.noise[:, k : k + 1], drawn.time[:, k : k + 1], drawn.delay[:, :1]))
        for k in range(3)
    ]
    torch.testing.assert_close(mean_loss(objective, batch, drawn), torch.stack(alone).mean(), rtol=1e-5, atol=1e-6)


def test_clean_rows_are_given_and_not_learned() -> None:
    """Training-time action conditioning: the loss is the policy's own with these delays."""
    twin = twin_named("batch_of_two", rtc_training_max_delay=5)
    policy, batch = policy_of(twin), batch_of(twin)
    noise, time, delay = batch["noise"], batch["time"], torch.tensor([0, 4])
    expected = policy.loss({k: v for k, v in batch.items() if k not in ("noise", "time")}, noise, time, delay)
    drawn = Draws(noise[:, None], time[:, None], delay[:, None])
    assert mean_loss(Objective(policy), batch, drawn).item() == pytest.approx(expected.item(), abs=1e-6)
    none = mean_loss(Objective(policy), batch, Draws(noise[:, None], time[:, None], torch.zeros(2, 1).long()))
    assert abs(none.item() - expected.item()) > 1e-3


def test_regression_is_the_absolute_error_of_one_pass() -> None:
    twin = twin_named("batch_of_two", objective="regression")
    policy, batch = policy_of(twin), batch_of(twin)
    expected = policy.loss(
        {k: v for k, v in batch.items() if k not in ("noise", "time")}, batch["noise"], batch["time"]
    )
    drawn = one_draw(dict(batch))
    assert mean_loss(Objective(policy), batch, drawn).item() == pytest.approx(expected.item(), abs=1e-6)


def test_times_follow_the_papers_beta_distribution() -> None:
    twin = twin_named("two_cameras")
    time = draw(policy_of(twin).config, 4000, 1, seed=1, step=0).time.double()
    beta = torch.distributions.Beta(torch.tensor(1.5), torch.tensor(1.0))
    assert time.min() >= 0.001
    assert time.max() <= 1.0
    assert time.mean().item() == pytest.approx(0.999 * beta.mean.item() + 0.001, abs=0.02)
    assert time.var().item() == pytest.approx(0.999**2 * beta.variance.item(), abs=0.01)


def test_layers_for_training_compute_the_same_loss_and_gradients() -> None:
    """Frozen parts in packed layers, linear layers that learn through oneDNN, against the model itself."""
    twin = twin_named("batch_of_three")
    for train in ("expert", "vision frozen", "all"):
        found = []
        for fast in (False, True):
            policy, batch = policy_of(twin), batch_of(twin)
            policy.requires_grad_(True)
            if train == "expert":
                policy.model.backbone.requires_grad_(False)
            if train == "vision frozen":
                policy.model.backbone.vision_model.requires_grad_(False)
            layers = training_layers(policy.model) if fast else None
            assert not fast or not has_onednn() or layers.learning is not policy.model
            loss = mean_loss(Objective(policy, layers=layers), batch, one_draw(batch))
            loss.backward()
            found.append((loss.item(), {name: p.grad for name, p in policy.named_parameters() if p.grad is not None}))
        (plain, expected), (fast_loss, gradients) = found
        assert fast_loss == pytest.approx(plain, abs=1e-6)
        assert gradients.keys() == expected.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6, msg=f"{train}: {name}")
