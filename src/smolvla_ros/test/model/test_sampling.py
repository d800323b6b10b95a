"""How actions come out of the model: Euler's steps, a deadline, or one pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from smolvla_ros.model.config import SmolVLAConfig
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.real_time_chunking import Denoised, Guidance
from smolvla_ros.model.sampling import Sampled, euler, flow_times
from torch import Tensor
from twin_policy import batch_of, policy_of, twin_named


class Clock:
    """Shows the start, then the end of each step."""

    def __init__(self, *step_s: float) -> None:
        self.now_s, self.steps = 100.0, iter((0.0, *step_s))

    def __call__(self) -> float:
        self.now_s += next(self.steps)
        return self.now_s


def straight(target: Tensor, num_steps: int = 10) -> Callable[[Tensor, int], Denoised]:
    """A flow whose velocity is right at once: from any x_t it leads straight to the target."""

    def denoise(x_t: Tensor, k: int) -> Denoised:
        return Denoised((x_t - target) / flow_times(num_steps)[k], target)

    return denoise


def sample(deadline_s: float, clock: Clock) -> Sampled:
    return euler(straight(torch.ones(1, 4, 3)), torch.randn(1, 4, 3), 10, deadline_s, clock)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 7, 10, 50])
def test_flow_times_run_from_one_to_the_last_step(num_steps: int) -> None:
    times = flow_times(num_steps)
    assert len(times) == num_steps
    assert times[0] == 1.0
    assert times[-1] == pytest.approx(1 / num_steps)


@pytest.mark.parametrize("num_steps", [1, 3, 10, 25])
def test_any_number_of_steps_follows_a_straight_flow_to_its_end(num_steps: int) -> None:
    target = torch.randn(2, 4, 3)
    sampled = euler(straight(target, num_steps), torch.randn(2, 4, 3), num_steps)
    torch.testing.assert_close(sampled.actions, target)
    assert sampled.steps == num_steps


def test_a_deadline_that_all_steps_meet_changes_nothing() -> None:
    assert sample(101.0, Clock(*[0.1] * 10)).steps == 10


def test_no_step_is_begun_that_would_end_after_the_deadline() -> None:
    sampled = sample(100.55, Clock(*[0.1] * 10))
    assert sampled.steps == 5
    torch.testing.assert_close(sampled.actions, torch.ones(1, 4, 3))  # the rest of the way at once


def test_the_slowest_step_so_far_is_what_the_next_one_may_take() -> None:
    assert sample(100.55, Clock(0.3, *[0.1] * 9)).steps == 1
    assert sample(100.65, Clock(0.3, *[0.1] * 9)).steps == 1 + 1


def test_one_step_is_done_even_after_the_deadline() -> None:
    assert sample(99.0, Clock(*[0.1] * 10)).steps == 1


def test_without_a_deadline_no_clock_is_asked() -> None:
    euler(straight(torch.ones(1, 4, 3)), torch.randn(1, 4, 3), 10, clock=Clock())


def test_the_model_ends_early_where_its_last_velocity_leads() -> None:
    twin = twin_named("two_cameras")
    model, batch = policy_of(twin).model, batch_of(twin)
    with torch.inference_mode():
        memory, noise = model.remember(model_inputs(batch, model.config)), batch["noise"]
        sampled = model.sample_until(100.05, Clock(*[0.1] * 10), memory, noise, 10)
        one_step = model.sample(memory, noise, 1)
        all_steps = model.sample_until(200.0, Clock(*[0.1] * 10), memory, noise, 10)
        torch.testing.assert_close(all_steps.actions, model.sample(memory, noise, 10), rtol=0, atol=0)
    assert (sampled.steps, all_steps.steps) == (1, 10)
    torch.testing.assert_close(sampled.actions, one_step)


def test_a_guided_chunk_that_ends_early_keeps_its_frozen_rows_and_does_not_overshoot() -> None:
    twin = twin_named("two_cameras")
    model, batch = policy_of(twin).model, batch_of(twin)
    guidance = Guidance(torch.randn(1, 9, 32), delay=4, horizon=8)
    with torch.inference_mode():
        memory = model.remember(model_inputs(batch, model.config))
        sampled = model.sample_until(100.25, Clock(*[0.1] * 10), memory, batch["noise"], 10, guidance)
    assert sampled.steps == 2
    torch.testing.assert_close(sampled.actions[:, :4], guidance.frozen)


def test_regression_gives_one_chunk_whatever_the_noise() -> None:
    twin = twin_named("batch_of_two", objective="regression")
    policy, batch = policy_of(twin), batch_of(twin)
    one, other = (policy.predict_action_chunk(batch, noise, 10) for noise in (batch["noise"], batch["noise"] + 1))
    assert one.shape == (2, 12, 6)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    inside = ~batch["action_is_pad"]
    expected = (one - batch["action"]).abs()[inside].mean()
    torch.testing.assert_close(policy.loss(batch).detach(), expected)


def test_regression_learns_a_chunk() -> None:
    twin = twin_named("two_cameras", objective="regression")
    policy, batch = policy_of(twin), batch_of(twin)
    trained = [p for name, p in policy.named_parameters() if "vlm." not in name]
    optimizer, losses = torch.optim.Adam(trained, lr=3e-3), []
    for _ in range(15):
        loss = policy.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_regression_has_no_steps_to_guide() -> None:
    twin = twin_named("two_cameras", objective="regression")
    batch = batch_of(twin)
    with pytest.raises(ValueError, match="regresses chunks in one pass"):
        policy_of(twin).predict_action_chunk(batch, guidance=Guidance(torch.zeros(1, 3, 6), delay=1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "diffusion"}, "objective: expected one of flow_matching, regression, found diffusion"),
        ({"rtc_training_max_delay": 12}, "rtc_training_max_delay: expected from 0 to below chunk_size 12, found 12"),
        ({"rtc_training_max_delay": 3, "objective": "regression"}, "expected 0 with objective regression, found 3"),
    ],
)
def test_an_impossible_objective_is_refused_by_name(fields: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        policy_of(twin_named("two_cameras", **fields))


def test_own_fields_are_written_only_where_they_are_used() -> None:
    plain = policy_of(twin_named("two_cameras", objective="flow_matching", rtc_training_max_delay=0)).config
    assert not {"objective", "rtc_training_max_delay"} & set(plain.to_json())
    trained = policy_of(twin_named("two_cameras", rtc_training_max_delay=4)).config
    assert trained.to_json()["rtc_training_max_delay"] == 4
    assert "objective" not in trained.to_json()
    assert SmolVLAConfig.from_json(trained.to_json(), "config.json") == trained
