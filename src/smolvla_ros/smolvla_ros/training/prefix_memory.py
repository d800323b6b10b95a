"""The prefix pass in training: no gradient where nothing learns, and one pass for several noises.

Images and instruction never see the state, so that with a frozen backbone only the state's row needs gradients: the
rest runs forward alone, its results read by that row. Same numbers as FlowMatching.remember.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smolvla_ros.model.expert import Memory
from smolvla_ros.model.flow_matching import FlowMatching
from smolvla_ros.model.inputs import ModelInputs
from smolvla_ros.model.prefix import block_mask


@dataclass(frozen=True)
class ReadPrefix:
    """memory: what the expert reads. hidden (batch, rows, width): what enters the last layer; valid (batch, rows)."""

    memory: Memory
    hidden: Tensor
    valid: Tensor


def read_prefix(
    flow: FlowMatching,
    inputs: ModelInputs,
    frozen: FlowMatching | None,
    image_tokens: Sequence[Tensor | None] | None = None,
) -> ReadPrefix:
    """frozen: what computes all that has no gradient, where nothing before the expert learns but state_proj; it has the
    flow's own parameters. None where more learns. image_tokens: as FlowMatching.remember takes them.
    """
    language = flow.backbone.text_model
    if frozen is None:
        prefix = flow.embed_prefix(inputs, image_tokens)
        positions = prefix.valid.cumsum(dim=1) - 1
        cache, hidden = language.run(prefix.embeddings, positions, block_mask(prefix.valid, prefix.block))
        memory = flow.expert.remember(cache, prefix.valid, flow.state_of_expert(inputs))
        return ReadPrefix(memory, hidden, prefix.valid)
    with torch.no_grad():
        parts = frozen.embed_context(inputs, image_tokens)
        valid = torch.cat([part[1] for part in parts], dim=1)
        rows = torch.cat([part[0] for part in parts], dim=1)
        keep = valid.any(dim=0)
        if not keep.all():
            valid, rows = valid[:, keep], rows[:, keep]
        everyone = valid[:, None, :].expand(-1, rows.shape[1], -1)
        context, context_hidden = frozen.backbone.text_model.run(rows, valid.cumsum(dim=1) - 1, everyone)
    if not flow.config.state_to_prefix:
        memory = flow.expert.remember(context, valid, flow.state_of_expert(inputs))
        return ReadPrefix(memory, context_hidden, valid)
    state = flow.state_proj(inputs.state)[:, None]
    with_state = torch.cat([valid, torch.ones_like(valid[:, :1])], dim=1)
    own, state_hidden = language.run(state, valid.sum(dim=1, keepdim=True), with_state[:, None], context)
    cache = [
        (torch.cat([seen[0], last[0]], dim=2), torch.cat([seen[1], last[1]], dim=2))
        for seen, last in zip(context, own, strict=True)
    ]
    hidden = torch.cat([context_hidden, state_hidden], dim=1)
    return ReadPrefix(flow.expert.remember(cache, with_state), hidden, with_state)


def several(memory: Memory, draws: int, chunk: int) -> Memory:
    """The memory for `draws` chunks side by side: (batch, draws * chunk) rows see the prefix and their own chunk."""
    if draws == 1:
        return memory
    of_prefix, of_chunk = memory.sees_all[..., :-chunk], memory.sees_all[..., -chunk:]
    own = torch.zeros(len(of_chunk), draws * chunk, draws * chunk, dtype=torch.bool, device=of_chunk.device)
    for k in range(draws):
        own[:, k * chunk : (k + 1) * chunk, k * chunk : (k + 1) * chunk] = of_chunk
    (own_cos, own_sin), (crossing_cos, crossing_sin) = memory.own_angles, memory.crossing_angles
    sees_prefix = memory.sees_prefix
    return replace(
        memory,
        own_angles=(own_cos.repeat(1, 1, draws, 1), own_sin.repeat(1, 1, draws, 1)),
        crossing_angles=(crossing_cos.repeat(1, 1, draws, 1), crossing_sin.repeat(1, 1, draws, 1)),
        sees_prefix=None if sees_prefix is None else sees_prefix.repeat(1, draws, 1),
        sees_all=torch.cat([of_prefix.repeat(1, draws, 1), own], dim=2),
    )
