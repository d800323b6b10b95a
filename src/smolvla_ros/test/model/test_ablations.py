"""The paper's switches that LeRobot's config lacks: who sees whom among the actions, and who reads the state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from smolvla_ros.engines.choice import ENGINES
from smolvla_ros.model.config import SmolVLAConfig
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.smolvla import SmolVLA
from twin_policy import batch_of, policy_of, twin_named

SWITCHES = [
    {"causal_action_attention_mask": False},
    {"state_to_prefix": False},
    {"state_to_prefix": False, "causal_action_attention_mask": False, "self_attn_every_n_layers": 3},
]


def velocity(policy: SmolVLA, batch: dict[str, torch.Tensor], actions: torch.Tensor) -> torch.Tensor:
    flow = policy.model
    memory = flow.remember(model_inputs(batch, policy.config))
    return flow.velocity(actions, flow.embed_time(torch.tensor([0.5]))[:, None], memory)


def changes(policy: SmolVLA, batch: dict[str, torch.Tensor], row: int) -> torch.Tensor:
    """(chunk,) bool: the rows of the flow that change with the actions' row."""
    actions = batch["noise"]
    other = actions.clone()
    other[:, row] += 1.0
    with torch.no_grad():
        return (velocity(policy, batch, actions) - velocity(policy, batch, other)).abs().amax(dim=(0, 2)) > 1e-6


def test_an_action_sees_later_ones_only_without_the_causal_mask() -> None:
    twin = twin_named("two_cameras")
    batch, last = batch_of(twin), batch_of(twin)["noise"].shape[1] - 1
    causal = changes(policy_of(twin), batch, last)
    assert causal.tolist() == [False] * last + [True]
    assert changes(policy_of(twin_named("two_cameras", causal_action_attention_mask=False)), batch, last).all()


def test_the_state_is_read_by_the_expert_alone() -> None:
    twin = twin_named("batch_of_three", state_to_prefix=False)
    policy, batch = policy_of(twin), batch_of(twin)
    other = {**batch, "observation.state": batch["observation.state"] + 1.0}
    with torch.no_grad():
        chunks = [policy.predict_action_chunk(b, b["noise"]) for b in (batch, other)]
        prefixes = [policy.model.embed_prefix(model_inputs(b, policy.config)).embeddings for b in (batch, other)]
    assert (chunks[0] - chunks[1]).abs().max() > 1e-3
    assert torch.equal(*prefixes)
    assert policy.model.state_proj.out_features == policy.model.expert.width
    in_prefix = policy_of(twin_named("batch_of_three")).model
    rows = in_prefix.embed_prefix(model_inputs(batch, policy.config)).valid.shape[1]
    assert prefixes[0].shape[1] == rows - 1


def test_the_states_token_equals_one_more_row_of_the_expert() -> None:
    """Its keys and values are found once; the same as running it with the actions, which it does not see."""
    twin = twin_named("batch_of_three", state_to_prefix=False)
    policy, batch = policy_of(twin), batch_of(twin)
    flow, actions = policy.model, batch["noise"]
    inputs = model_inputs(batch, policy.config)
    with torch.no_grad():
        prefix = flow.embed_prefix(inputs)
        cache = flow.backbone.text_model(
            prefix.embeddings,
            prefix.valid.cumsum(dim=1) - 1,
            prefix.valid[:, None].expand(-1, prefix.valid.shape[1], -1),
        )
        without = flow.expert.remember(cache, prefix.valid)
        longer = policy_of(twin_named("batch_of_three", chunk_size=actions.shape[1] + 1, n_action_steps=1)).model.expert
        memory = longer.remember(cache, prefix.valid)
        with_state = flow.expert.remember(cache, prefix.valid, flow.state_of_expert(inputs))
        tokens = flow.action_in_proj(actions)
        state = flow.state_of_expert(inputs)
        assert state is not None
        expected = longer(torch.cat([state, tokens], dim=1), memory)[:, 1:]
        found = flow.expert(tokens, with_state)
        plain = flow.expert(tokens, without)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert (plain - expected).abs().max() > 1e-3


@pytest.mark.parametrize("switch", SWITCHES)
def test_engines_compute_the_same_with_each_switch(switch: dict[str, Any]) -> None:
    twin = twin_named("batch_of_three", **switch)
    policy, batch = policy_of(twin).requires_grad_(False), batch_of(twin)
    expected = policy.predict_action_chunk(batch, batch["noise"])
    ENGINES["cpu-fp32"].prepare(policy)
    torch.testing.assert_close(policy.predict_action_chunk(batch, batch["noise"]), expected, rtol=0, atol=1e-5)


def test_lerobots_files_have_the_switches_only_where_they_are_used() -> None:
    plain = policy_of(twin_named("two_cameras")).config
    assert not {"causal_action_attention_mask", "state_to_prefix"} & set(plain.to_json())
    changed = policy_of(twin_named("two_cameras", state_to_prefix=False)).config
    assert SmolVLAConfig.from_json(changed.to_json(), "config.json").state_to_prefix is False
