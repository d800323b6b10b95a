"""The action expert: narrower Llama blocks over the action tokens that read the language model's keys and values.

Layers alternate. A self-attention layer's actions see the prefix and, causally, each other. A cross-attention layer's
actions see the prefix alone, through keys and values projected once more from the language model's.

Where the expert reads the state (an ablation of the paper's), it is a token before the actions, which they see in
self-attention layers. It sees none of them, so that its keys and values are the same in every denoising step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smolvla_ros.model.config import SmolVLAConfig, TextConfig, expert_mlp_width, expert_width
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.language import Block, KeysAndValues, RMSNorm
from smolvla_ros.model.rope import Angles, rotary_angles


@dataclass(frozen=True)
class Memory:
    """What the expert reads of one observation; the same in every denoising step.

    layers: keys and values (batch, key-value heads, rows, head_dim) for each expert layer, projected where it crosses;
    with one row more, the state's, in a self-attention layer of an expert that reads the state.
    own_angles: of the actions among all rows; crossing_angles: of the actions counted from 0, after the state from 1.
    sees_prefix: (batch, chunk, rows) bool, None where every row is seen; sees_all: (batch or 1, chunk, rows + chunk),
    the state's row among them.
    """

    layers: Sequence[KeysAndValues]
    own_angles: Angles
    crossing_angles: Angles
    sees_prefix: Tensor | None
    sees_all: Tensor


@dataclass(frozen=True)
class ExpertLayer:
    """Expert layer `index` reads language layer `language_index`."""

    index: int
    language_index: int
    crosses: bool


def language_layer_count(config: SmolVLAConfig, text: TextConfig) -> int:
    """Layers of the backbone that are used: the first num_vlm_layers, all where that is not above 0."""
    return min(config.num_vlm_layers, text.num_hidden_layers) if config.num_vlm_layers > 0 else text.num_hidden_layers


def expert_layers(config: SmolVLAConfig, text: TextConfig, where: str = "config.json") -> tuple[ExpertLayer, ...]:
    """Which language layer each expert layer reads, and how. Raises CheckpointError where the counts do not fit."""
    width = expert_width(config, text)
    if width < 2 or width % 2:
        found = f"{config.expert_width_multiplier} * {text.hidden_size}"
        raise mismatch(f"{where}: expert_width_multiplier", "one that makes the width even", found, "correct it")
    language_count = language_layer_count(config, text)
    count = config.num_expert_layers if config.num_expert_layers > 0 else language_count
    if language_count % count:
        raise mismatch(
            f"{where}: num_expert_layers", f"a divisor of num_vlm_layers {language_count}", count, "correct it"
        )
    every = config.self_attn_every_n_layers

    def crosses(index: int) -> bool:
        return "cross" in config.attention_mode and not (every > 0 and index % every == 0)

    stride = language_count // count
    for index in range(count):
        # The public layout shapes a layer by its own index and runs it by the language layer's.
        if crosses(index) != crosses(index * stride):
            raise mismatch(
                f"{where}: self_attn_every_n_layers",
                f"a value that makes expert layer {index} and language layer {index * stride} of one kind",
                every,
                "no such model can have been trained: correct num_expert_layers or self_attn_every_n_layers",
            )
    return tuple(ExpertLayer(index, index * stride, crosses(index)) for index in range(count))


class ActionExpert(nn.Module):
    """Action tokens (batch, chunk, width) to features (batch, chunk, width)."""

    layers: Sequence[Block]

    def __init__(self, config: SmolVLAConfig, text: TextConfig) -> None:
        super().__init__()
        self.plan = expert_layers(config, text)
        self.width, self.chunk = expert_width(config, text), config.chunk_size
        self.causal = config.causal_action_attention_mask
        inner, memory_width = expert_mlp_width(self.width), text.num_key_value_heads * text.head_dim
        blocks = (Block(self.width, inner, text, memory_width if layer.crosses else None) for layer in self.plan)
        self.layers = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = RMSNorm(self.width, text.rms_norm_eps)

    def remember(self, cache: Sequence[KeysAndValues], valid: Tensor, state: Tensor | None = None) -> Memory:
        """The memory of one observation from the language model's keys and values; valid (batch, rows) bool.

        state: (batch, 1, width) where the expert reads it.
        """
        layers = []
        for place, block in zip(self.plan, self.layers, strict=True):
            seen = cache[place.language_index]
            layers.append(block.project_memory(*seen) if place.crosses else seen)  # once for all denoising steps
        steps, head_dim = torch.arange(self.chunk, device=valid.device), self.layers[0].head_dim
        each_other = steps[:, None] >= steps if self.causal else torch.ones_like(steps[:, None] >= steps)
        everything = bool(valid.all())
        of_prefix = valid[: 1 if everything else None, None, :]
        sees_prefix = of_prefix.expand(-1, self.chunk, -1)
        parts = [sees_prefix, each_other[None].expand(len(sees_prefix), -1, -1)]
        first = valid.sum(dim=1, keepdim=True)
        if state is not None:
            layers = self._with_state(layers, state, first, None if everything else of_prefix)
            parts.insert(1, torch.ones_like(sees_prefix[..., :1]))
            first, steps = first + 1, steps + 1
        return Memory(
            layers,
            own_angles=rotary_angles(first + torch.arange(self.chunk, device=valid.device), head_dim),
            crossing_angles=rotary_angles(steps[None], head_dim),
            sees_prefix=None if everything else sees_prefix,
            sees_all=torch.cat(parts, dim=2),
        )

    def _with_state(
        self, layers: Sequence[KeysAndValues], state: Tensor, place_in_prefix: Tensor, sees_prefix: Tensor | None
    ) -> list[KeysAndValues]:
        """The state's way through the layers, its keys and values beside those of the prefix where actions see them."""
        head_dim, hidden, found = self.layers[0].head_dim, state, []
        own_angles = rotary_angles(place_in_prefix, head_dim)
        crossing_angles = rotary_angles(torch.zeros_like(place_in_prefix[:1]), head_dim)
        itself = None if sees_prefix is None else torch.cat([sees_prefix, torch.ones_like(sees_prefix[..., :1])], dim=2)
        for place, block, seen in zip(self.plan, self.layers, layers, strict=True):
            if place.crosses:
                found.append(seen)
                attended = block.attend(block.queries(hidden, crossing_angles), [seen], sees_prefix)
            else:
                queries, keys, values = block.queries_keys_values(hidden, own_angles)
                found.append((torch.cat([seen[0], keys], dim=2), torch.cat([seen[1], values], dim=2)))
                attended = block.attend(queries, [found[-1]], itself)
            if place is not self.plan[-1]:  # nobody reads what follows the last
                hidden = block.finish(hidden, attended)
        return found

    def forward(self, actions: Tensor, memory: Memory) -> Tensor:
        hidden = actions
        for place, block, seen in zip(self.plan, self.layers, memory.layers, strict=True):
            if place.crosses:
                queries = block.queries(hidden, memory.crossing_angles)
                attended = block.attend(queries, [seen], memory.sees_prefix)
            else:
                queries, keys, values = block.queries_keys_values(hidden, memory.own_angles)
                attended = block.attend(queries, [seen, (keys, values)], memory.sees_all)
            hidden = block.finish(hidden, attended)
        return self.norm(hidden)
