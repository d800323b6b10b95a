"""Chunks that go on from the previous one; test_parity.py compares the guided ones with LeRobot's."""

from __future__ import annotations

import math

import pytest
import torch
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.real_time_chunking import (
    SCHEDULES,
    Guidance,
    guidance_weight,
    guided_velocity,
    prefix_weights,
)
from torch import Tensor
from twin_policy import batch_of, policy_of, twin_named

CHUNK, WIDTH = 12, 6


def guidance(rows: int = CHUNK, delay: int = 4, horizon: int = CHUNK, **others: object) -> Guidance:
    previous = torch.randn(1, rows, WIDTH, generator=torch.Generator().manual_seed(7))
    return Guidance(previous, delay, horizon, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("delay", [0, 1, 5, 12, 40])
@pytest.mark.parametrize("horizon", [0, 1, 5, 12, 40])
def test_weights_fall_from_one_to_zero_between_delay_and_horizon(schedule: str, delay: int, horizon: int) -> None:
    weights = prefix_weights(delay, horizon, CHUNK, schedule)
    assert weights.shape == (CHUNK,)
    assert (weights[: min(delay, horizon)] == 1).all()
    assert (weights[horizon:] == 0).all()
    assert (weights.diff() <= 0).all()


def test_weights_of_each_schedule_at_known_rows() -> None:
    linear, exp, ones, zeros = (prefix_weights(1, 4, 6, schedule) for schedule in SCHEDULES)
    torch.testing.assert_close(linear, torch.tensor([1, 0.75, 0.5, 0.25, 0, 0]))
    torch.testing.assert_close(exp, torch.tensor([c * math.expm1(c) / (math.e - 1) for c in linear.tolist()]))
    assert ones.tolist() == [1, 1, 1, 1, 0, 0]
    assert zeros.tolist() == [1, 0, 0, 0, 0, 0]


def test_the_guidance_weight_is_the_papers_up_to_its_limit() -> None:
    for tau in (0.1, 0.4, 0.5, 0.9):
        r2 = (1 - tau) ** 2 / (tau**2 + (1 - tau) ** 2)
        assert guidance_weight(1 - tau, 100.0) == pytest.approx((1 - tau) / (tau * r2))
    assert guidance_weight(1.0, 10.0) == guidance_weight(0.0, 10.0) == guidance_weight(0.99, 10.0) == 10.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("delay", -1), ("horizon", -2), ("schedule", "cubic"), ("max_weight", 0.0), ("jacobian", "half")],
)
def test_guidance_that_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"guidance {field}: expected"):
        guidance(**{field: value})


def test_rows_that_were_never_planned_guide_nothing() -> None:
    """LeRobot's own loop fills a short rest up with zero rows and steers to them, the middle of the data."""
    short, x_t = guidance(rows=5, horizon=10), torch.randn(1, CHUNK, WIDTH)
    velocity = torch.randn(1, CHUNK, WIDTH)
    guided = guided_velocity(lambda _: velocity, x_t, 0.6, short).velocity
    torch.testing.assert_close(guided[:, 5:], velocity[:, 5:], rtol=0, atol=0)
    assert (guided[:, :5] != velocity[:, :5]).all()


def test_the_full_jacobian_is_the_vector_jacobian_product_of_the_clean_chunk() -> None:
    """Against finite differences of e . A(x), A the clean chunk and e the weighted error, on a twin in float64."""
    twin = twin_named("two_cameras")
    model = policy_of(twin).model
    inputs, given = model_inputs(batch_of(twin), model.config), guidance(jacobian="full", max_weight=3.0)
    time, embedding = 0.5, model.embed_time(torch.tensor([0.5]))[:, None]
    with torch.no_grad():
        memory = model.remember(inputs)
        x_t = torch.randn(1, CHUNK, 32, generator=torch.Generator().manual_seed(1))

        def velocity(x: Tensor) -> Tensor:
            return model.velocity(x, embedding, memory)

        guided = guided_velocity(velocity, x_t, time, given).velocity
        plain = velocity(x_t)
        target = torch.nn.functional.pad(given.previous, (0, 32 - WIDTH))
        error = (target - (x_t - time * plain)) * prefix_weights(4, CHUNK, CHUNK, "linear")[:, None]
        correction = (plain - guided) / guidance_weight(time, 3.0)
        for seed in range(4):
            direction = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(seed))
            ahead, behind = (x - time * velocity(x) for x in (x_t + 1e-2 * direction, x_t - 1e-2 * direction))
            expected = (error * (ahead - behind)).sum() / 2e-2
            assert (correction * direction).sum().item() == pytest.approx(expected.item(), rel=2e-3, abs=2e-3)


def test_identity_and_full_differ_by_the_models_own_part() -> None:
    """A velocity that ignores x_t has the identity as the Jacobian of its clean chunk: both must then agree."""
    x_t, constant = torch.randn(1, CHUNK, WIDTH), torch.randn(1, CHUNK, WIDTH)
    one, other = (
        guided_velocity(lambda x: constant + 0 * x, x_t, 0.3, guidance(jacobian=jacobian)).velocity
        for jacobian in ("identity", "full")
    )
    torch.testing.assert_close(one, other)


def test_a_model_without_gradients_says_what_to_use_instead() -> None:
    with pytest.raises(ValueError, match="an engine without them; use the torch engine, or 'identity'"):
        guided_velocity(lambda x: torch.zeros_like(x), torch.randn(1, CHUNK, WIDTH), 0.5, guidance(jacobian="full"))


def test_the_full_jacobian_works_on_a_memory_made_in_inference_mode() -> None:
    twin = twin_named("two_cameras")
    policy, batch = policy_of(twin).requires_grad_(False), batch_of(twin)
    given = guidance(jacobian="full")
    expected = policy.predict_action_chunk(batch, batch["noise"], guidance=given)
    with torch.inference_mode():
        memory = policy.model.remember(model_inputs(batch, policy.config))
        found = policy.model.sample(memory, batch["noise"], 10, given)
    torch.testing.assert_close(found[..., :WIDTH], expected)


@pytest.mark.parametrize("jacobian", ["identity", "full"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_frozen_rows_come_close_to_the_previous_chunk(schedule: str, jacobian: str) -> None:
    twin = twin_named("two_cameras")
    policy, batch = policy_of(twin), batch_of(twin)
    given = guidance(schedule=schedule, jacobian=jacobian, delay=4, horizon=8)
    chunks = [policy.predict_action_chunk(batch, batch["noise"], guidance=g) for g in (None, given)]
    free, guided = ((chunk - given.previous)[:, :4].abs().mean().item() for chunk in chunks)
    assert guided < 0.25 * free


def test_ones_hold_every_row_up_to_the_horizon() -> None:
    twin = twin_named("two_cameras")
    policy, batch = policy_of(twin), batch_of(twin)
    given = guidance(schedule="ones", delay=1, horizon=8)
    chunks = [policy.predict_action_chunk(batch, batch["noise"], guidance=g) for g in (None, given)]
    free, guided = ((chunk - given.previous)[0].abs().mean(dim=1) for chunk in chunks)
    assert (guided[:8] < 0.5 * free[:8]).all()
    assert guided[8:].mean() > 2 * guided[:8].mean()


@pytest.mark.parametrize("rows", [1, 3])
def test_clean_rows_are_the_chunks_first_rows_exactly(rows: int) -> None:
    """Training-time conditioning, arXiv 2512.05964."""
    twin = twin_named("two_cameras", rtc_training_max_delay=3)
    policy, batch = policy_of(twin), batch_of(twin)
    clean = guidance().previous[:, :rows]
    chunk = policy.predict_action_chunk(batch, batch["noise"], clean_rows=clean)
    torch.testing.assert_close(chunk[:, :rows], clean, rtol=0, atol=0)
    free = policy.predict_action_chunk(batch, batch["noise"])
    assert (chunk[:, rows:] != free[:, rows:]).all()  # what follows knows of them


def test_no_clean_rows_change_nothing() -> None:
    policy, batch = policy_of(twin_named("two_cameras", rtc_training_max_delay=3)), batch_of(twin_named("two_cameras"))
    expected = policy.predict_action_chunk(batch, batch["noise"])
    found = policy.predict_action_chunk(batch, batch["noise"], clean_rows=torch.zeros(1, 0, WIDTH))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_clean_rows_are_refused_beyond_what_was_trained() -> None:
    batch = batch_of(twin_named("two_cameras"))
    for longest in (0, 3):
        policy = policy_of(twin_named("two_cameras", rtc_training_max_delay=longest))
        with pytest.raises(ValueError, match=f"rtc_training_max_delay: expected at least the 4 rows.* found {longest}"):
            policy.predict_action_chunk(batch, batch["noise"], clean_rows=guidance().frozen)


def test_training_gives_the_first_rows_clean_and_learns_the_rest() -> None:
    twin = twin_named("batch_of_two", rtc_training_max_delay=5)
    policy, batch = policy_of(twin), batch_of(twin)
    delay = torch.tensor([0, 5])

    def loss(noise: Tensor) -> float:
        return policy.loss(batch, noise, batch["time"], delay).item()

    expected, other = loss(batch["noise"]), batch["noise"].clone()
    other[1, :5] += 1.0
    assert loss(other) == expected  # rows that are clean take no noise
    other[0, :5] += 1.0
    assert loss(other) != expected


def test_training_without_delay_is_the_plain_objective() -> None:
    twin = twin_named("batch_of_two")
    policy, batch = policy_of(twin), batch_of(twin)
    plain = policy.loss(batch, batch["noise"], batch["time"])
    torch.testing.assert_close(policy.loss(batch, batch["noise"], batch["time"], torch.tensor([0, 0])), plain)


def test_delays_are_drawn_from_none_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = twin_named("batch_of_two", rtc_training_max_delay=2)
    policy, batch, seen = policy_of(twin), batch_of(twin), set()
    error = policy.model.error

    def watched(inputs: object, actions: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        seen.update((time == 0).sum(dim=1).tolist())
        return error(inputs, actions, noise, time)  # type: ignore[arg-type]

    monkeypatch.setattr(policy.model, "error", watched)
    torch.manual_seed(0)
    for _ in range(12):
        policy.loss(batch)
    assert seen == {0, 1, 2}
